#include "data/image/crop.h"

#include <algorithm>
#include <cmath>

#include "glog/logging.h"

namespace starling {
namespace {

constexpr double kLeastArea = 0.08;
constexpr double kNarrowest = 3.0 / 4, kWidest = 4.0 / 3;
constexpr int kDraws = 10;

// To the nearest integer, halves to even.
int64_t Round(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

}  // namespace

Box RandomPart(int64_t width, int64_t height, Random* random) {
  const double area = static_cast<double>(width) * static_cast<double>(height);
  for (int draw = 0; draw < kDraws; ++draw) {
    const double part = area * (kLeastArea + (1 - kLeastArea) * random->Uniform());
    const double low = std::log(kNarrowest), high = std::log(kWidest);
    const double ratio = std::exp(low + (high - low) * random->Uniform());
    const int64_t w = Round(std::sqrt(part * ratio)), h = Round(std::sqrt(part / ratio));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    const int64_t top = random->Below(height - h + 1), left = random->Below(width - w + 1);
    return {left, top, w, h};
  }
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  int64_t w = width, h = height;
  if (ratio < kNarrowest) h = Round(static_cast<double>(w) / kNarrowest);
  if (ratio > kWidest) w = Round(static_cast<double>(h) * kWidest);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

Box ScaledToShortSide(int64_t width, int64_t height, int64_t side) {
  const int64_t longer = side * std::max(width, height) / std::min(width, height);
  return width < height ? Box{0, 0, side, longer} : Box{0, 0, longer, side};
}

Box CentralPart(int64_t width, int64_t height, int64_t size) {
  CHECK(width >= size && height >= size);
  const auto margin = [size](int64_t extent) {
    return Round(static_cast<double>(extent - size) / 2);
  };
  return {margin(width), margin(height), size, size};
}

}  // namespace starling
