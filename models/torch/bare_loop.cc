#include "models/torch/bare_loop.h"

#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"
#include "core/status.h"
#include "models/torch/torch_model.h"
#include "torch/optim/adam.h"

namespace starling {

struct BareLoop::Parts {
  TorchNet net;
  std::vector<torch::Tensor> parameters;
  torch::optim::Adam adam;
};

BareLoop::BareLoop(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
BareLoop::~BareLoop() = default;

absl::StatusOr<std::unique_ptr<BareLoop>> BareLoop::Create(std::unique_ptr<Model> model,
                                                           uint64_t stream) {
  const TorchNet* found = NetOf(*model);
  if (found == nullptr) {
    return absl::InvalidArgumentError("this model is not computed by LibTorch");
  }
  const TorchNet net = *found;
  const Arena x(model->layout().size, DType::kF32);
  RETURN_IF_ERROR(model->Initialize(stream, x.buffer()));
  RETURN_IF_ERROR(model->Bind(x.buffer(), Buffer()));
  const std::vector<torch::Tensor> parameters = net.module->parameters();
  for (const torch::Tensor& parameter : parameters) {
    parameter.set_data(parameter.detach().clone());
  }
  model.reset();  // its hooks go with it
  net.module->train();
  auto parts = std::unique_ptr<Parts>(
      new Parts{net, parameters, torch::optim::Adam(parameters, torch::optim::AdamOptions(1e-3))});
  return std::unique_ptr<BareLoop>(new BareLoop(std::move(parts)));
}

double BareLoop::Step(const Batch& batch, uint64_t stream) {
  std::vector<torch::Tensor> fields;
  for (const BatchField& field : batch.fields) {
    const Buffer values = field.buffer();
    fields.push_back(torch::from_blob(
        values.data, field.shape, values.type == DType::kF32 ? torch::kFloat32 : torch::kInt64));
  }
  const torch::Tensor loss = parts_->net.forward(fields, stream).losses.mean();
  loss.backward();
  parts_->adam.step();
  for (torch::Tensor& parameter : parts_->parameters) parameter.mutable_grad() = torch::Tensor();
  return loss.item<double>();
}

}  // namespace starling
