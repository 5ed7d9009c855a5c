// The part of the conformance suite that checks the numbers: gradients and losses.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/layout.h"
#include "core/random/random.h"
#include "core/status.h"
#include "glog/logging.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

constexpr int kCoordinatesPerTensor = 5;

// The difference quotient of the loss at element i of x that comes nearest to `gradient`. A kink
// (of ReLU, of a maximum) within one step width spoils that width, rounding spoils narrow ones;
// a wrong gradient is near none of the quotients.
double NearestQuotient(Model* model, const Batch& batch, Buffer x, int64_t i, double gradient,
                       double tolerance) {
  const double value = GetElement(x, i);
  double nearest = std::nan("");
  for (double width : {1e-4, 1e-5, 1e-6}) {
    SetElement(x, i, value + width);
    const double above = Pass(model, batch);
    SetElement(x, i, value - width);
    const double below = Pass(model, batch);
    SetElement(x, i, value);
    const double quotient = (above - below) / (2 * width);
    if (!(std::abs(quotient - gradient) >= std::abs(nearest - gradient))) nearest = quotient;
    if (std::abs(nearest - gradient) <= tolerance) break;
  }
  return nearest;
}

TEST_P(ModelConformance, GradientsAgreeWithFiniteDifferences) {
  const auto model = Make(DType::kF64);
  const Layout& layout = model->layout();
  const Arenas arenas(layout, DType::kF64), scratch(layout, DType::kF64);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  Pass(model.get(), batch_);
  CHECK_OK(model->Bind(arenas.x(), scratch.g()));
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  for (const TensorInfo& tensor : layout.tensors) {
    const Buffer g = arenas.g().Slice(tensor.offset, tensor.count);
    double largest = 0;
    for (int64_t i = 0; i < g.count; ++i) largest = std::max(largest, std::abs(GetElement(g, i)));
    EXPECT_GT(largest, 0) << tensor.name << ": the gradient is zero";
    for (int n = 0; n < kCoordinatesPerTensor; ++n) {
      const int64_t i = random.Below(tensor.count);
      const double gradient = GetElement(g, i);
      const double tolerance = 1e-5 * std::max(std::abs(gradient), 0.01 * largest);
      EXPECT_NEAR(
          gradient,
          NearestQuotient(model.get(), batch_, arenas.x(), tensor.offset + i, gradient, tolerance),
          tolerance)
          << tensor.name << ", element " << i;
    }
  }
}

TEST_P(ModelConformance, FloatGradientsAreNearThoseInDouble) {
  const auto floats = Make(DType::kF32), doubles = Make(DType::kF64);
  // By names: LibTorch has other operators for other types, which may complete gradients in another
  // order.
  const Layout &float_layout = floats->layout(), &layout = doubles->layout();
  const Arenas f(float_layout, DType::kF32), d(layout, DType::kF64);
  CHECK_OK(floats->Initialize(1, f.x()));
  for (const TensorInfo& tensor : layout.tensors) {
    const Buffer from = TensorIn(f.x(), float_layout, tensor.name);
    for (int64_t i = 0; i < tensor.count; ++i) {
      SetElement(d.x(), tensor.offset + i, GetElement(from, i));
    }
  }
  CHECK_OK(floats->Bind(f.x(), f.g()));
  CHECK_OK(doubles->Bind(d.x(), d.g()));
  const double loss = Pass(doubles.get(), batch_);
  EXPECT_NEAR(Pass(floats.get(), batch_), loss, 1e-5 * std::abs(loss));
  for (const TensorInfo& tensor : layout.tensors) {
    const Buffer gradient = TensorIn(f.g(), float_layout, tensor.name);
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < tensor.count; ++i) {
      const double expected = GetElement(d.g(), tensor.offset + i);
      difference += std::pow(GetElement(gradient, i) - expected, 2);
      norm += std::pow(expected, 2);
    }
    EXPECT_LE(std::sqrt(difference), 1e-4 * std::sqrt(norm)) << tensor.name;
  }
}

TEST_P(ModelConformance, EvaluationAgreesWithTheLossOfTraining) {
  if (GetParam().couples_examples) GTEST_SKIP() << "evaluates with running statistics";
  const auto model = Make(DType::kF64);
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const double loss = Pass(model.get(), batch_);
  MetricSums sums;
  CHECK_OK(model->Evaluate(batch_, &sums));
  EXPECT_NEAR(sums.loss / static_cast<double>(sums.targets), loss, 1e-12 * std::abs(loss));
}

// The mean over the batch: every example counts as much as it would alone.
TEST_P(ModelConformance, GradientIsTheMeanOverTheExamples) {
  if (GetParam().data.fields.empty()) GTEST_SKIP() << "reads no examples";
  if (GetParam().couples_examples) GTEST_SKIP() << "an example alone is another batch";
  const auto model = Make(DType::kF64);
  const Layout& layout = model->layout();
  const Arenas whole(layout, DType::kF64), single(layout, DType::kF64);
  CHECK_OK(model->Initialize(1, whole.x()));
  CHECK_OK(model->Bind(whole.x(), whole.g()));
  Pass(model.get(), batch_);
  CHECK_OK(model->Bind(whole.x(), single.g()));
  for (int64_t example = 0; example < batch_.size; ++example) {
    Batch one;
    one.size = 1;
    for (size_t field = 0; field < batch_.fields.size(); ++field) {
      const FieldSpec& spec = GetParam().data.fields[field];
      const std::vector<int64_t>& all = batch_.fields[field].shape;
      const Buffer to = ReserveField(&one, static_cast<int>(field), 1,
                                     absl::MakeConstSpan(all).subspan(1), spec.type);
      const Buffer from = batch_.fields[field].buffer().Slice(example * to.count, to.count);
      std::memcpy(to.data, from.data, to.bytes());
    }
    Pass(model.get(), one);
    for (int64_t i = 0; i < layout.size; ++i) {
      const double part = GetElement(single.g(), i) / static_cast<double>(batch_.size);
      SetElement(whole.g(), i, GetElement(whole.g(), i) - part);
    }
  }
  for (int64_t i = 0; i < layout.size; ++i) {
    ASSERT_NEAR(GetElement(whole.g(), i), 0, 1e-12) << "element " << i;
  }
}

}  // namespace
}  // namespace starling
