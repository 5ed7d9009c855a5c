#include "models/torch/accum_adam_tensors.h"

#include <torch/torch.h>

#include <cmath>

namespace starling {
namespace {

constexpr int kWindow = 4;
constexpr double kLr = 1e-3, kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;

torch::Tensor View(Buffer values) {
  return torch::from_blob(values.as<float>().data(), {values.count}, torch::kFloat32);
}

torch::Tensor Zeros(Buffer like) { return torch::zeros_like(View(like)); }

}  // namespace

struct AccumAdamTensors::Tensors {
  torch::Tensor x, gradient, peer, out, b, m, v;
};

AccumAdamTensors::AccumAdamTensors(Buffer x, Buffer gradient, Buffer peer, Buffer out)
    : t_(new Tensors{View(x), View(gradient), View(peer), View(out), Zeros(x), Zeros(x),
                     Zeros(x)}) {
  at::set_num_threads(1);
}

AccumAdamTensors::~AccumAdamTensors() = default;

void AccumAdamTensors::Step() {
  const torch::NoGradGuard no_gradients;
  Tensors& t = *t_;
  ++step_;
  const int window = (step_ + kWindow - 1) / kWindow;
  const double correction1 = 1 - std::pow(kBeta1, window);
  const double correction2 = std::sqrt(1 - std::pow(kBeta2, window));
  t.x.mul_(0.5).add_(t.peer, 0.5);
  t.b.add_(t.gradient, 1.0 / kWindow);
  const torch::Tensor m = t.m.mul(kBeta1).add_(t.gradient, 1 - kBeta1);
  const torch::Tensor v = t.v.mul(kBeta2).addcmul_(t.gradient, t.gradient, 1 - kBeta2);
  t.x.addcdiv_(m, v.sqrt_().div_(correction2).add_(kEps), -kLr / correction1);
  if (step_ % kWindow == 0) {
    t.m.mul_(kBeta1).add_(t.b, 1 - kBeta1);
    t.v.mul_(kBeta2).addcmul_(t.b, t.b, 1 - kBeta2);
    t.b.zero_();
  }
  t.out.copy_(t.x);
}

}  // namespace starling
