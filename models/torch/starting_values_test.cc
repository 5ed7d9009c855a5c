#include "models/torch/starting_values.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

Layout LayoutOf(const std::vector<std::pair<std::string, std::vector<int64_t>>>& tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, shape] : tensors) {
    TensorInfo info;
    info.name = name;
    info.shape = shape;
    infos.push_back(std::move(info));
  }
  return MakeLayout(std::move(infos), /*bucket_bytes=*/1, /*element_bytes=*/4);
}

TEST(StartingValuesTest, BoundsAreThoseOfPyTorch) {
  const Layout layout = LayoutOf({{"fc.bias", {10}},
                                  {"fc.weight", {10, 25}},
                                  {"conv.weight", {8, 4, 5, 5}},
                                  {"conv.bias", {8}},
                                  {"norm.weight", {8}},
                                  {"norm.bias", {8}}});
  const auto distributions = StartingDistributions(layout);
  ASSERT_TRUE(distributions.ok()) << distributions.status();
  const std::vector<std::pair<double, double>> expected = {{0, 0.2}, {0, 0.2}, {0, 0.1},
                                                           {0, 0.1}, {1, 0},   {0, 0}};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ((*distributions)[i].constant, expected[i].first) << layout.tensors[i].name;
    EXPECT_DOUBLE_EQ((*distributions)[i].bound, expected[i].second) << layout.tensors[i].name;
  }
}

TEST(StartingValuesTest, TensorsWithoutRuleAreNamed) {
  EXPECT_EQ(StartingDistributions(LayoutOf({{"a.weight", {2, 2}}, {"a.scale", {2}}})).status(),
            absl::InvalidArgumentError(
                "tensor \"a.scale\" has no rule for its starting values; layers have tensors "
                "\"weight\" and \"bias\""));
  EXPECT_FALSE(StartingDistributions(LayoutOf({{"a.bias", {2}}})).ok());
}

TEST(StartingValuesTest, AModelMayChoose) {
  const Layout layout = LayoutOf({{"table", {100, 200}}, {"fc.weight", {4, 4}}});
  const auto distributions = StartingDistributions(layout, [](const TensorInfo& tensor) {
                               std::optional<StartingDistribution> choice;
                               if (tensor.name == "table") choice = StartingDistribution{1, 0, 0.5};
                               return choice;
                             }).value();
  EXPECT_EQ(distributions[1].bound, 0.5);
  Arena x(layout.size, DType::kF64);
  DrawStartingValues(layout, distributions, 1, x.buffer());
  double mean = 0, square = 0, cube = 0;
  constexpr int64_t kCount = 20000;
  for (double value : x.buffer().Slice(0, kCount).as<double>()) {
    mean += value / kCount;
    square += std::pow(value - 1, 2) / kCount;
    cube += std::pow(value - 1, 4) / kCount;
  }
  EXPECT_NEAR(mean, 1, 0.01);
  EXPECT_NEAR(square, 0.25, 0.01);
  EXPECT_NEAR(cube, 3 * 0.25 * 0.25, 0.015);  // of a normal distribution
}

TEST(StartingValuesTest, ValuesAreUniform) {
  constexpr int64_t kCount = 20000;
  const Layout layout = LayoutOf({{"weight", {200, 100}}});
  Arena x(layout.size, DType::kF64);
  DrawStartingValues(layout, StartingDistributions(layout).value(), 1, x.buffer());
  double mean = 0, square = 0, largest = 0;
  for (double value : x.buffer().Slice(0, kCount).as<double>()) {
    mean += value / kCount;
    square += value * value / kCount;
    largest = std::max(largest, std::abs(value));
  }
  EXPECT_LE(largest, 0.1);
  EXPECT_GT(largest, 0.0999);
  EXPECT_NEAR(mean, 0, 0.002);
  EXPECT_NEAR(square, 0.01 / 3, 0.0001);
}

// Neither the order in the arena nor the type changes what a tensor starts from.
TEST(StartingValuesTest, StreamsBelongToNames) {
  const Layout forward = LayoutOf({{"a.weight", {3, 3}}, {"b.weight", {5, 7}}});
  const Layout backward = LayoutOf({{"b.weight", {5, 7}}, {"a.weight", {3, 3}}});
  Arena x(forward.size, DType::kF64), y(backward.size, DType::kF32);
  DrawStartingValues(forward, StartingDistributions(forward).value(), 1, x.buffer());
  DrawStartingValues(backward, StartingDistributions(backward).value(), 1, y.buffer());
  for (int tensor : {0, 1}) {
    const int64_t from = forward.tensors[tensor].offset, to = backward.tensors[1 - tensor].offset;
    for (int64_t i = 0; i < forward.tensors[tensor].count; ++i) {
      EXPECT_EQ(static_cast<float>(x.buffer().as<double>()[from + i]),
                y.buffer().as<float>()[to + i]);
    }
  }
  EXPECT_NE(x.buffer().as<double>()[0] / (1 / std::sqrt(3.0)),
            x.buffer().as<double>()[forward.tensors[1].offset] / (1 / std::sqrt(7.0)));
}

}  // namespace
}  // namespace starling
