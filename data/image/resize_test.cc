#include "data/image/resize.h"

#include <cmath>
#include <vector>

#include "core/random/random.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

Image Noise(int64_t width, int64_t height) {
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  Image image{width, height, {}};
  for (int64_t i = 0; i < 3 * width * height; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(random.Below(256)));
  }
  return image;
}

std::vector<float> Resized(const Image& image, const Box& from, int64_t width, int64_t height,
                           const Box& window) {
  std::vector<float> out(3 * window.width * window.height, -1.0f);
  ResizeBilinear(image, from, width, height, window, absl::MakeSpan(out));
  return out;
}

// The definition, as a sum over all pixels of `from`.
double Definition(const Image& image, const Box& from, int64_t width, int64_t height, int colour,
                  int64_t column, int64_t row) {
  const auto weight = [](int64_t k, int64_t in, int64_t out, int64_t i) {
    const double s = static_cast<double>(in) / static_cast<double>(out);
    const double away = std::abs(static_cast<double>(k) + 0.5 - s * (static_cast<double>(i) + 0.5));
    return std::max(0.0, 1 - away / std::max(s, 1.0));
  };
  double sum = 0, weights = 0;
  for (int64_t y = 0; y < from.height; ++y) {
    for (int64_t x = 0; x < from.width; ++x) {
      const double w = weight(x, from.width, width, column) * weight(y, from.height, height, row);
      weights += w;
      sum += w * image.pixels[3 * ((from.top + y) * image.width + from.left + x) + colour];
    }
  }
  return sum / weights;
}

TEST(ResizeTest, IsTheDefinition) {
  const Image image = Noise(37, 23);
  const struct {
    Box from;
    int64_t width, height;
    Box window;
  } cases[] = {
      {{0, 0, 37, 23}, 16, 10, {0, 0, 16, 10}},  // smaller
      {{0, 0, 37, 23}, 80, 51, {0, 0, 80, 51}},  // larger
      {{5, 3, 20, 19}, 7, 40, {0, 0, 7, 40}},    // of a part; one of each
      {{1, 2, 35, 20}, 33, 11, {4, 3, 20, 8}},   // a part of the result
      {{36, 22, 1, 1}, 3, 2, {0, 0, 3, 2}},      // a single pixel
      {{0, 0, 37, 1}, 1, 1, {0, 0, 1, 1}},       // to a single pixel
  };
  for (const auto& one : cases) {
    const auto out = Resized(image, one.from, one.width, one.height, one.window);
    size_t next = 0;
    for (int colour = 0; colour < 3; ++colour) {
      for (int64_t row = 0; row < one.window.height; ++row) {
        for (int64_t column = 0; column < one.window.width; ++column) {
          EXPECT_NEAR(out[next++],
                      Definition(image, one.from, one.width, one.height, colour,
                                 one.window.left + column, one.window.top + row),
                      1e-4);
        }
      }
    }
  }
}

TEST(ResizeTest, TheSameSizeIsTheSameImage) {
  const Image image = Noise(9, 5);
  const auto out = Resized(image, {0, 0, 9, 5}, 9, 5, {0, 0, 9, 5});
  for (int64_t i = 0; i < 45; ++i) {
    for (int colour = 0; colour < 3; ++colour) {
      EXPECT_EQ(out[colour * 45 + i], image.pixels[3 * i + colour]);
    }
  }
}

// Two to one: the weights of the four nearest pixels are 1/8, 3/8, 3/8, 1/8; at the border those
// that exist, 3/7, 3/7 and 1/7.
TEST(ResizeTest, HalvesByKnownWeights) {
  Image image{8, 1, {}};
  for (int64_t i = 0; i < 8; ++i) image.pixels.insert(image.pixels.end(), 3, i == 2 ? 168 : 0);
  const auto out = Resized(image, {0, 0, 8, 1}, 4, 1, {0, 0, 4, 1});
  EXPECT_NEAR(out[0], 168.0 / 7, 1e-4);
  EXPECT_NEAR(out[1], 168 * 3.0 / 8, 1e-4);
  EXPECT_NEAR(out[2], 0, 1e-4);
}

}  // namespace
}  // namespace starling
