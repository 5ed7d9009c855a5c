#include "data/image/crop.h"

#include <cmath>
#include <set>

#include "gtest/gtest.h"

namespace starling {
namespace {

Random Stream(int64_t number) { return Random(StreamKey(1, Purpose::kTest, 0, number)); }

TEST(CropTest, RandomPartsHaveTheirAreasRatiosAndPlaces) {
  constexpr int64_t kWidth = 500, kHeight = 500;
  constexpr int kDraws = 20000;
  Random random = Stream(0);
  double area = 0, log_ratio = 0, square_log_ratio = 0, left = 0;
  double least = 1, most = 0, narrowest = 9, widest = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Box box = RandomPart(kWidth, kHeight, &random);
    ASSERT_TRUE(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0);
    ASSERT_LE(box.left + box.width, kWidth);
    ASSERT_LE(box.top + box.height, kHeight);
    const double part = static_cast<double>(box.width * box.height) / (kWidth * kHeight);
    const double ratio = static_cast<double>(box.width) / static_cast<double>(box.height);
    area += part / kDraws;
    log_ratio += std::log(ratio) / kDraws;
    square_log_ratio += std::pow(std::log(ratio), 2) / kDraws;
    least = std::min(least, part);
    most = std::max(most, part);
    narrowest = std::min(narrowest, ratio);
    widest = std::max(widest, ratio);
    if (box.width < kWidth) {
      left += static_cast<double>(box.left) / static_cast<double>(kWidth - box.width) / kDraws;
    }
  }
  EXPECT_NEAR(least, 0.08, 0.002);
  EXPECT_GT(most, 0.99);
  EXPECT_NEAR(narrowest, 0.75, 0.01);
  EXPECT_NEAR(widest, 4.0 / 3, 0.01);
  EXPECT_NEAR(left, 0.5, 0.02);
  EXPECT_NEAR(log_ratio, 0, 0.01);
  // Near the largest area only ratios near 1 fit, so both are less than uniform draws have.
  EXPECT_GT(area, 0.46);
  EXPECT_LT(area, 0.54);
  EXPECT_GT(square_log_ratio, 0.8 * std::pow(std::log(4.0 / 3), 2) / 3);
  EXPECT_LT(square_log_ratio, std::pow(std::log(4.0 / 3), 2) / 3);
}

// What never fits falls back to the centre.
TEST(CropTest, LongImagesGiveTheirCentre) {
  for (int64_t stream = 0; stream < 20; ++stream) {
    Random random = Stream(stream);
    EXPECT_EQ(RandomPart(30000, 30, &random), (Box{14980, 0, 40, 30}));
    EXPECT_EQ(RandomPart(30, 30000, &random), (Box{0, 14980, 30, 40}));
    EXPECT_EQ(RandomPart(1, 1, &random), (Box{0, 0, 1, 1}));
  }
}

TEST(CropTest, TheShorterSideIsScaled) {
  EXPECT_EQ(ScaledToShortSide(500, 375, 256), (Box{0, 0, 341, 256}));  // 341.33
  EXPECT_EQ(ScaledToShortSide(375, 500, 256), (Box{0, 0, 256, 341}));
  EXPECT_EQ(ScaledToShortSide(10, 10, 256), (Box{0, 0, 256, 256}));
}

TEST(CropTest, CentresRoundHalvesToEven) {
  EXPECT_EQ(CentralPart(341, 256, 224), (Box{58, 16, 224, 224}));  // 58.5
  EXPECT_EQ(CentralPart(227, 225, 224), (Box{2, 0, 224, 224}));    // 1.5 and 0.5
  EXPECT_EQ(CentralPart(224, 224, 224), (Box{0, 0, 224, 224}));
}

}  // namespace
}  // namespace starling
