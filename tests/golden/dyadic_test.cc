#include <memory>
#include <string>

#include "core/buffer.h"
#include "core/status.h"
#include "data/dataset.h"
#include "gtest/gtest.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

absl::StatusOr<std::unique_ptr<Model>> Make(DType type) {
  static const DataSpec* const data = new DataSpec;
  Model::Context context;
  context.data = data;
  context.dtype = type;
  context.worker = 1;
  context.workers = 2;
  return CreateModel("dyadic", "", context);
}

// Eighths and halves: every operation is exact, so the difference quotient is the gradient.
TEST(DyadicTest, GradientIsThatOfTheLoss) {
  const auto model = Make(DType::kF64);
  CHECK_OK(model);
  const Arenas arenas((*model)->layout(), DType::kF64);
  CHECK_OK((*model)->Initialize(3, arenas.x()));
  CHECK_OK((*model)->Bind(arenas.x(), arenas.g()));
  const auto loss = [&] {
    const auto result =
        (*model)->ForwardBackward(MadeUpBatch({}, 1, 1), 1, [](int) { return absl::OkStatus(); });
    CHECK_OK(result);
    return LossOf(*result);
  };
  for (const TensorInfo& tensor : (*model)->layout().tensors) {
    for (int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      double& x = arenas.x().as<double>()[i];
      const double at = x;
      EXPECT_EQ(at * 8, static_cast<int>(at * 8));
      loss();
      const double gradient = arenas.g().as<double>()[i];
      x = at + 0.5;
      const double above = loss();
      x = at - 0.5;
      EXPECT_EQ(gradient, above - loss());
      x = at;
    }
  }
}

TEST(DyadicTest, ComputesInDouble) {
  EXPECT_EQ(std::string(Make(DType::kF32).status().message()),
            "model \"dyadic\" computes in F64 (train.dtype)");
}

}  // namespace
}  // namespace starling
