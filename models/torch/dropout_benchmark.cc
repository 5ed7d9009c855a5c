// Dropout of this folder against LibTorch's, forward and backward, on one thread:
//   ./bazelw run //models/torch:dropout_benchmark
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "models/torch/dropout.h"

namespace starling {
namespace {

// The best of several passes over 4 Mi elements, in nanoseconds per element.
template <typename Drop>
double Nanoseconds(const Drop& drop) {
  torch::Tensor x = torch::ones(int64_t{1} << 22).requires_grad_();
  const torch::Tensor gradient = torch::ones_like(x);
  double best = 1e300;
  for (int i = 0; i < 10; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    drop(x).backward(gradient);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count() / static_cast<double>(x.numel()));
  }
  return best;
}

}  // namespace
}  // namespace starling

int main() {
  at::set_num_threads(1);
  int place = 0;
  const double ours = starling::Nanoseconds(
      [&](const torch::Tensor& x) { return starling::Dropout(x, 0.1, 1, place++, true); });
  const double torchs =
      starling::Nanoseconds([](const torch::Tensor& x) { return torch::dropout(x, 0.1, true); });
  std::printf(
      "dropout, forward and backward, float32, one thread: %.2f ns per element; LibTorch's "
      "own: %.2f\n",
      ours, torchs);
}
