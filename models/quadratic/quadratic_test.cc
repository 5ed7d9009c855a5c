#include "models/quadratic/quadratic.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"
#include "data/dataset.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

std::vector<ModelCase> Cases() {
  return {
      {"Default", "quadratic", "", DataSpec()},
      {"OneElement", "quadratic", "dimension: 1", DataSpec()},
      {"ManyTensors", "quadratic", "dimension: 100 tensors: 7", LabelledSpec({4}, 3)},
      {"OneElementEach", "quadratic", "dimension: 6 tensors: 6", DataSpec()},
  };
}

INSTANTIATE_TEST_SUITE_P(Quadratic, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

std::unique_ptr<Model> Make(const std::string& config, int worker = 0, int workers = 1) {
  static const DataSpec* const data = new DataSpec;
  Model::Context context;
  context.data = data;
  context.dtype = DType::kF64;
  context.seed = 5;
  context.worker = worker;
  context.workers = workers;
  auto model = CreateModel("quadratic", config, context);
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

TEST(QuadraticTest, ProblemHasTheDocumentedDistributions) {
  const QuadraticTerm term = DrawQuadratic(1, 0, 10000);
  double curvature = 0, centre = 0, square = 0;
  for (int k = 0; k < 10000; ++k) {
    ASSERT_GE(term.curvatures[k], 0.5);
    ASSERT_LT(term.curvatures[k], 2.0);
    curvature += term.curvatures[k] / 10000;
    centre += term.centres[k] / 10000;
    square += term.centres[k] * term.centres[k] / 10000;
  }
  EXPECT_NEAR(curvature, 1.25, 0.02);
  EXPECT_NEAR(centre, 0, 0.12);
  EXPECT_NEAR(square, 9, 0.5);
  EXPECT_NE(DrawQuadratic(1, 1, 1).centres, DrawQuadratic(1, 0, 1).centres);
  EXPECT_NE(DrawQuadratic(2, 0, 1).centres, DrawQuadratic(1, 0, 1).centres);
  EXPECT_EQ(DrawQuadratic(1, 0, 1).centres[0], term.centres[0]);
}

TEST(QuadraticTest, ObjectiveIsTheMeanOfTheTerms) {
  constexpr int kWorkers = 4, kDimension = 3;
  const QuadraticObjective objective = MeanQuadratic(5, kWorkers, kDimension);
  for (const std::vector<double>& x :
       {objective.optimum, std::vector<double>{1, -2, 3}, std::vector<double>{100, 0, 0}}) {
    double mean = 0;
    for (int i = 0; i < kWorkers; ++i) {
      mean += DrawQuadratic(5, i, kDimension).Value(x) / kWorkers;
    }
    EXPECT_NEAR(objective.Value(x), mean, 1e-13 * mean);
    EXPECT_GE(objective.Value(x), objective.value_at_optimum);
  }
}

TEST(QuadraticTest, GradientsOfAllWorkersVanishInTheMeanAtTheOptimum) {
  constexpr int kWorkers = 8, kDimension = 10;
  const QuadraticObjective objective = MeanQuadratic(5, kWorkers, kDimension);
  std::vector<double> mean(kDimension);
  double largest = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    const auto model = Make("", worker, kWorkers);
    const Arenas arenas(model->layout(), DType::kF64);
    for (int k = 0; k < kDimension; ++k) SetElement(arenas.x(), k, objective.optimum[k]);
    ASSERT_TRUE(model->Bind(arenas.x(), arenas.g()).ok());
    EXPECT_DOUBLE_EQ(Pass(model.get(), MadeUpBatch({}, 4, 1)),
                     DrawQuadratic(5, worker, kDimension).Value(objective.optimum));
    for (int k = 0; k < kDimension; ++k) {
      mean[k] += GetElement(arenas.g(), k) / kWorkers;
      largest = std::max(largest, std::abs(GetElement(arenas.g(), k)));
    }
    // Every worker evaluates the common objective.
    MetricSums sums;
    ASSERT_TRUE(model->Evaluate(MadeUpBatch({}, 4, 1), &sums).ok());
    EXPECT_DOUBLE_EQ(sums.loss / static_cast<double>(sums.targets), objective.value_at_optimum);
  }
  for (double element : mean) EXPECT_NEAR(element, 0, 1e-13);
  EXPECT_GT(largest, 1);
}

// Elements of all tensors, without the padding.
std::vector<double> Elements(const Model& model, const Buffer& values) {
  std::vector<double> elements;
  for (const TensorInfo& tensor : model.layout().tensors) {
    for (int64_t i = 0; i < tensor.count; ++i) {
      elements.push_back(GetElement(values, tensor.offset + i));
    }
  }
  return elements;
}

TEST(QuadraticTest, CuttingIntoTensorsChangesNoNumber) {
  std::vector<double> start, gradient;
  for (const char* tensors : {"1", "3", "20"}) {
    const auto model = Make(std::string("dimension: 20 noise: 0.5 tensors: ") + tensors);
    EXPECT_EQ(model->layout().tensors.size(), std::stoul(tensors));
    const Arenas arenas(model->layout(), DType::kF64);
    ASSERT_TRUE(model->Initialize(9, arenas.x()).ok());
    ASSERT_TRUE(model->Bind(arenas.x(), arenas.g()).ok());
    Pass(model.get(), MadeUpBatch({}, 1, 1));
    if (start.empty()) {
      start = Elements(*model, arenas.x());
      gradient = Elements(*model, arenas.g());
    }
    EXPECT_EQ(Elements(*model, arenas.x()), start);
    EXPECT_EQ(Elements(*model, arenas.g()), gradient);
  }
}

TEST(QuadraticTest, NoiseComesFromTheStreamWithTheStandardDeviationAsked) {
  const auto noisy = Make("dimension: 10000 noise: 0.25"), exact = Make("dimension: 10000");
  const Arenas with(noisy->layout(), DType::kF64), without(exact->layout(), DType::kF64);
  ASSERT_TRUE(noisy->Bind(with.x(), with.g()).ok());
  ASSERT_TRUE(exact->Bind(with.x(), without.g()).ok());
  const Batch batch = MadeUpBatch({}, 1, 1);
  EXPECT_EQ(Pass(noisy.get(), batch, /*stream=*/1), Pass(exact.get(), batch, /*stream=*/1));
  double squares = 0;
  for (int64_t i = 0; i < 10000; ++i) {
    squares += std::pow(GetElement(with.g(), i) - GetElement(without.g(), i), 2);
  }
  EXPECT_NEAR(std::sqrt(squares / 10000), 0.25, 0.01);
  const std::string first = Bits(with.g());
  Pass(noisy.get(), batch, /*stream=*/2);
  EXPECT_NE(Bits(with.g()), first);
  Pass(noisy.get(), batch, /*stream=*/1);
  EXPECT_EQ(Bits(with.g()), first);
}

TEST(QuadraticTest, MoreTensorsThanElementsAreRefused) {
  const DataSpec data;
  Model::Context context;
  context.data = &data;
  EXPECT_EQ(CreateModel("quadratic", "dimension: 3 tensors: 4", context).status().message(),
            "model \"quadratic\": tensors is 4 and dimension is 3; a tensor holds at least one "
            "parameter");
}

TEST(QuadraticTest, ComputesOnTheHostInOneTypeOnly) {
  const DataSpec data;
  Model::Context context;
  context.data = &data;
  context.autocast = DType::kBF16;
  EXPECT_EQ(CreateModel("quadratic", "", context).status().message(),
            "model \"quadratic\" has no mixed precision; train.autocast must be NONE");
  context.place = Place::kDevice;
  EXPECT_EQ(CreateModel("quadratic", "", context).status().message(),
            "model \"quadratic\" computes on the host, not on a GPU");
}

}  // namespace
}  // namespace starling
