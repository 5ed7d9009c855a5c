#include "data/image/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "glog/logging.h"

namespace starling {
namespace {

// The weights of the input pixels first .. first + weights.size() - 1 in one output pixel.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

// Those of the output pixels begin .. begin + count - 1, when `in` pixels become `out`.
std::vector<Taps> MakeTaps(int64_t in, int64_t out, int64_t begin, int64_t count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double reach = std::max(scale, 1.0);
  std::vector<Taps> all(count);
  std::vector<double> weights;
  for (int64_t i = 0; i < count; ++i) {
    const double centre = scale * (static_cast<double>(begin + i) + 0.5);
    // What lies further away weighs nothing.
    const auto low = std::max<int64_t>(0, std::llround(std::floor(centre - reach)));
    const auto high = std::min<int64_t>(in, std::llround(std::ceil(centre + reach)));
    weights.clear();
    double sum = 0;
    for (int64_t k = low; k < high; ++k) {
      const double distance = std::abs(static_cast<double>(k) + 0.5 - centre);
      weights.push_back(std::max(0.0, 1 - distance / reach));
      sum += weights.back();
    }
    all[i].first = low;
    for (const double weight : weights) {
      all[i].weights.push_back(static_cast<float>(weight / sum));
    }
  }
  return all;
}

}  // namespace

void ResizeBilinear(const Image& image, const Box& from, int64_t width, int64_t height,
                    const Box& window, absl::Span<float> out) {
  CHECK(from.left >= 0 && from.top >= 0 && from.width > 0 && from.height > 0);
  CHECK(from.left + from.width <= image.width && from.top + from.height <= image.height);
  CHECK(window.left >= 0 && window.top >= 0 && window.left + window.width <= width &&
        window.top + window.height <= height);
  const int64_t plane = window.width * window.height;
  CHECK_EQ(static_cast<int64_t>(out.size()), 3 * plane);
  if (plane == 0) return;

  const auto across = MakeTaps(from.width, width, window.left, window.width);
  const auto down = MakeTaps(from.height, height, window.top, window.height);
  const int64_t first_row = down.front().first;
  const int64_t rows =
      down.back().first + static_cast<int64_t>(down.back().weights.size()) - first_row;

  // Rows of the input, scaled along their length: [row][colour][column].
  const int64_t line = 3 * window.width;
  std::vector<float> scaled(rows * line);
  for (int64_t row = 0; row < rows; ++row) {
    const uint8_t* pixels =
        &image.pixels[3 * ((from.top + first_row + row) * image.width + from.left)];
    float* to = &scaled[row * line];
    for (int64_t x = 0; x < window.width; ++x) {
      const uint8_t* pixel = pixels + 3 * across[x].first;
      float red = 0, green = 0, blue = 0;
      for (const float weight : across[x].weights) {
        red += weight * pixel[0];
        green += weight * pixel[1];
        blue += weight * pixel[2];
        pixel += 3;
      }
      to[x] = red;
      to[window.width + x] = green;
      to[2 * window.width + x] = blue;
    }
  }
  std::fill(out.begin(), out.end(), 0.0f);
  for (int64_t y = 0; y < window.height; ++y) {
    const float* line_in = &scaled[(down[y].first - first_row) * line];
    for (const float weight : down[y].weights) {
      for (int64_t colour = 0; colour < 3; ++colour) {
        float* to = &out[colour * plane + y * window.width];
        const float* values = line_in + colour * window.width;
        for (int64_t x = 0; x < window.width; ++x) to[x] += weight * values[x];
      }
      line_in += line;
    }
  }
}

}  // namespace starling
