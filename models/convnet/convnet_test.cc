#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "data/dataset.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

std::vector<ModelCase> Cases() {
  return {
      {"Smallest", "convnet", "", LabelledSpec({1, 12, 12}, 2)},
      {"ColourAndOddSizes", "convnet", "channels1: 3 channels2: 5 hidden: 7",
       LabelledSpec({3, 13, 17}, 4)},
  };
}

INSTANTIATE_TEST_SUITE_P(Convnet, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

int64_t Parameters(std::vector<int64_t> shape, const std::string& config) {
  const DataSpec data = LabelledSpec(std::move(shape), 10);
  Model::Context context;
  context.data = &data;
  return CreateModel("convnet", config, context).value()->layout().parameters();
}

// The formula of README.md.
TEST(ConvnetTest, NumberOfParameters) {
  EXPECT_EQ(Parameters({1, 28, 28}, ""), 215914);
  EXPECT_EQ(Parameters({3, 32, 30}, "channels1: 4 channels2: 8 hidden: 16"),
            4 * (25 * 3 + 1) + 8 * (9 * 4 + 1) + 16 * (8 * 6 * 5 + 1) + 10 * (16 + 1));
}

TEST(ConvnetTest, SaysWhatImagesItNeeds) {
  Model::Context context;
  for (const auto& [shape, text] : std::vector<std::pair<std::vector<int64_t>, std::string>>{
           {{32}, "[32]"}, {{1, 11, 28}, "[1, 11, 28]"}, {{28, 28}, "[28, 28]"}}) {
    const DataSpec data = LabelledSpec(shape, 10);
    context.data = &data;
    EXPECT_EQ(
        CreateModel("convnet", "", context).status(),
        absl::InvalidArgumentError(
            "model \"convnet\" needs images [C, H, W] with H, W >= 12; data set gives " + text));
  }
}

}  // namespace
}  // namespace starling
