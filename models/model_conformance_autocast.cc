// The part of the conformance suite about mixed precision.
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

// BF16 rounds by at most 2^-9. The losses of these small nets are a few dozen roundings away, into
// both directions. Their gradients are further: four examples make few terms to average over, and
// whatever rounding carries over a kink (of ReLU, of a maximum) comes or goes as a whole. What is
// computed wrongly is as far away as it is long.
constexpr double kLossIsNear = 1.0 / 32, kGradientIsNear = 1.0 / 4;

TEST_P(ModelConformance, MixedPrecisionIsNearSingle) {
  Model::Context context;
  context.data = &GetParam().data;
  context.bucket_bytes = 1;  // a bucket per tensor
  context.autocast = DType::kBF16;
  const auto made = CreateModel(GetParam().plugin, GetParam().config, context);
  if (!made.ok()) {
    EXPECT_TRUE(absl::StrContains(made.status().message(), "train.autocast must be NONE"))
        << made.status();
    return;
  }
  Model* const mixed = made->get();
  const auto single = Make(DType::kF32, /*bucket_bytes=*/1);
  const Layout &layout = mixed->layout(), &single_layout = single->layout();
  const Arenas m(layout, DType::kF32), s(single_layout, DType::kF32);
  for (const auto& [model, arenas] : {std::pair(mixed, &m), std::pair(single.get(), &s)}) {
    CHECK_OK(model->Initialize(1, arenas->x()));
    CHECK_OK(model->Bind(arenas->x(), arenas->g()));
  }
  const double loss = Pass(single.get(), batch_);
  int buckets = 0;
  const auto result = mixed->ForwardBackward(batch_, /*stream=*/1, [&](int bucket) -> absl::Status {
    EXPECT_EQ(bucket, buckets++);
    return absl::OkStatus();
  });
  CHECK_OK(result);
  EXPECT_EQ(buckets, static_cast<int>(layout.buckets.size()));
  const double mixed_loss = LossOf(*result);
  EXPECT_NEAR(mixed_loss, loss, kLossIsNear * std::abs(loss));
  double difference = 0, norm = 0;
  for (const TensorInfo& tensor : layout.tensors) {  // by names: their order may differ
    const Buffer gradient = TensorIn(s.g(), single_layout, tensor.name);
    for (int64_t i = 0; i < tensor.count; ++i) {
      const double expected = GetElement(gradient, i);
      difference += std::pow(GetElement(m.g(), tensor.offset + i) - expected, 2);
      norm += std::pow(expected, 2);
    }
  }
  EXPECT_LE(std::sqrt(difference), kGradientIsNear * std::sqrt(norm));

  // A power of two passes through all of it without a trace but itself.
  const std::string plain = Bits(m.g());
  mixed->set_loss_scale(1024);
  EXPECT_EQ(Pass(mixed, batch_), mixed_loss);
  ops::Scale(1.0 / 1024, m.g());
  // (Batch norm keeps statistics, but its passes in training do not read them.)
  EXPECT_EQ(Bits(m.g()), plain);

  MetricSums sums;
  CHECK_OK(mixed->Evaluate(batch_, &sums));
  EXPECT_TRUE(std::isfinite(sums.loss));
}

}  // namespace
}  // namespace starling
