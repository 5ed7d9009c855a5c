// For tests on machines without Python's torch: writes a TorchScript file, a classifier of points
// [4] in 3 classes with dropout.
//
//   write_example FILE
#include "glog/logging.h"
#include "torch/csrc/jit/api/module.h"
#include "torch/types.h"

namespace {

torch::jit::Module Linear(int64_t in, int64_t out) {
  torch::jit::Module module("Linear");
  const torch::Tensor weight = (torch::arange(in * out) % 7 - 3).to(torch::kFloat32) / 8;
  module.register_parameter("weight", weight.reshape({out, in}).requires_grad_(), false);
  module.register_parameter("bias", torch::zeros({out}).requires_grad_(), false);
  module.define("def forward(self, x): return torch.linear(x, self.weight, self.bias)\n");
  return module;
}

}  // namespace

int main(int argc, char** argv) {
  CHECK_EQ(argc, 2) << "usage: write_example FILE";
  torch::jit::Module net("Net");
  net.register_attribute("training", c10::BoolType::get(), true);
  net.register_module("fc1", Linear(4, 16));
  net.register_module("fc2", Linear(16, 3));
  net.define(
      "def forward(self, x):\n"
      "  h = torch.dropout(torch.relu(self.fc1.forward(x)), 0.25, self.training)\n"
      "  return self.fc2.forward(h)\n");
  net.save(argv[1]);
}
