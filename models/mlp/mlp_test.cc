#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
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
      {"Default", "mlp", "", LabelledSpec({5}, 3)},
      {"OneLayer", "mlp", "hidden: 7", LabelledSpec({2, 4}, 2)},
      {"ManyLayers", "mlp", "hidden: [9, 8, 7, 6]", LabelledSpec({33}, 10)},
  };
}

INSTANTIATE_TEST_SUITE_P(Mlp, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

std::unique_ptr<Model> Make(const DataSpec& data, const std::string& config) {
  Model::Context context;
  context.data = &data;
  auto model = CreateModel("mlp", config, context);
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

TEST(MlpTest, TensorsStandInBackwardOrder) {
  const auto model = Make(LabelledSpec({1, 28, 28}, 10), "");
  EXPECT_EQ(model->layout().parameters(), 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10);
  std::vector<std::string> names;
  for (const TensorInfo& tensor : model->layout().tensors) {
    names.push_back(tensor.name);
    EXPECT_EQ(tensor.decay, tensor.shape.size() == 2) << tensor.name;
  }
  ASSERT_EQ(names.size(), 6u);
  // Within a layer the order is autograd's affair; layers go from the last to the first.
  for (int i = 0; i < 6; ++i) EXPECT_EQ(names[i][2], "332211"[i]) << names[i];
}

// PyTorch's default: uniform below 1 / sqrt(inputs), for weights and biases.
TEST(MlpTest, StartsLikePyTorch) {
  const auto model = Make(LabelledSpec({100}, 10), "hidden: 400");
  const Arenas arenas(model->layout(), DType::kF32);
  ASSERT_TRUE(model->Initialize(1, arenas.x()).ok());
  for (const TensorInfo& tensor : model->layout().tensors) {
    const double bound = tensor.name.substr(0, 3) == "fc1" ? 0.1 : 0.05;
    double sum = 0, squares = 0, largest = 0;
    for (int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      const double x = GetElement(arenas.x(), i);
      sum += x;
      squares += x * x;
      largest = std::max(largest, std::abs(x));
    }
    const double n = static_cast<double>(tensor.count);
    EXPECT_LE(largest, bound * (1 + 1e-7)) << tensor.name;
    if (tensor.count < 400) continue;
    EXPECT_GT(largest, 0.98 * bound) << tensor.name;
    EXPECT_NEAR(sum / n, 0, 4 * bound / std::sqrt(3 * n)) << tensor.name;
    EXPECT_NEAR(squares / n, bound * bound / 3, 0.1 * bound * bound) << tensor.name;
  }
}

TEST(MlpTest, BadConfigsAreRefused) {
  const DataSpec data = LabelledSpec({5}, 3);
  Model::Context context;
  context.data = &data;
  EXPECT_EQ(CreateModel("mlp", "hidden: [3, 0]", context).status().message(),
            "model \"mlp\": hidden[1] is 0; it must be at least 1 and at most 1048576");
  const DataSpec none;
  context.data = &none;
  EXPECT_EQ(CreateModel("mlp", "", context).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(MlpTest, TooLargeForMemoryIsAnError) {
  // 2^49 bytes: more than a process can address, so that no machine tries.
  const DataSpec data = LabelledSpec({1 << 27}, 3);
  Model::Context context;
  context.data = &data;
  const auto model = CreateModel("mlp", "hidden: 1048576", context);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(model.status().message().find("memory"), absl::string_view::npos) << model.status();
}

}  // namespace
}  // namespace starling
