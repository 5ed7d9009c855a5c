#include "models/torch/bare_loop.h"

#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"
#include "core/status.h"
#include "models/torch/tensors.h"
#include "models/torch/torch_device.h"
#include "models/torch/torch_model.h"
#include "torch/optim/adam.h"

namespace starling {
namespace {

std::unique_ptr<TorchDevice::Scope> EnterIf(TorchDevice* device) {
  return device == nullptr ? nullptr : device->Enter();
}

}  // namespace

struct BareLoop::Parts {
  TorchDevice* device;  // null: the host
  TorchNet net;
  std::vector<torch::Tensor> parameters;
  torch::optim::Adam adam;
};

BareLoop::BareLoop(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
BareLoop::~BareLoop() = default;

absl::StatusOr<std::unique_ptr<BareLoop>> BareLoop::Create(std::unique_ptr<Model> model,
                                                           uint64_t stream, Place place) {
  const TorchNet* found = NetOf(*model);
  if (found == nullptr) {
    return absl::InvalidArgumentError("this model is not computed by LibTorch");
  }
  TorchDevice* device = nullptr;
  if (place == Place::kDevice) {
    ASSIGN_OR_RETURN(device, TorchDeviceFor("bare loop"));
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
  const auto scope = EnterIf(device);
  if (device != nullptr) net.module->to(device->device());
  net.module->train();
  auto parts = std::unique_ptr<Parts>(new Parts{
      device, net, parameters, torch::optim::Adam(parameters, torch::optim::AdamOptions(1e-3))});
  return std::unique_ptr<BareLoop>(new BareLoop(std::move(parts)));
}

double BareLoop::Step(const Batch& batch, uint64_t stream) {
  const auto scope = EnterIf(parts_->device);
  std::vector<torch::Tensor> fields;
  for (const BatchField& field : batch.fields) {
    const torch::Tensor values = View(field.buffer(), field.shape);
    fields.push_back(parts_->device == nullptr ? values : values.to(parts_->device->device()));
  }
  const torch::Tensor loss = parts_->net.forward(fields, stream).losses.mean();
  loss.backward();
  parts_->adam.step();
  for (torch::Tensor& parameter : parts_->parameters) parameter.mutable_grad() = torch::Tensor();
  return loss.item<double>();
}

}  // namespace starling
