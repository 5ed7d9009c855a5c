#include "models/torch/torch_model.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "ATen/Parallel.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "c10/util/Exception.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"
#include "models/torch/autocast.h"
#include "models/torch/starting_values.h"
#include "models/torch/tensors.h"
#include "models/torch/torch_device.h"
#include "models/versions.h"
#include "torch/csrc/autograd/function.h"
#include "torch/csrc/autograd/function_hook.h"
#include "torch/csrc/autograd/variable.h"
#include "torch/version.h"

namespace starling {
namespace {

using torch::autograd::variable_list;
// LibTorch's releases differ in the kind of pointer.
using NodePointer = decltype(torch::autograd::impl::grad_accumulator(torch::Tensor()));

[[maybe_unused]] const bool version_added = AddModelLibraryVersion("libtorch", TORCH_VERSION);

// The setting belongs to the calling thread (OpenMP), so each thread makes it for itself.
void ComputeOnThisThreadOnly() {
  thread_local const bool done = [] {
    at::set_num_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

class TorchModel final : public Model {
 public:
  // `device`: null on the host.
  TorchModel(absl::string_view name, TorchNet net, const Context& context, TorchDevice* device)
      : name_(name),
        title_(absl::StrCat("model \"", name, "\"")),
        net_(std::move(net)),
        dtype_(context.dtype),
        autocast_(context.autocast),
        device_(device) {}

  // Finds the order of the tensors. Once, before anything else.
  absl::Status MakeLayoutFromDryPass(const DataSpec& data, int64_t bucket_bytes);

  const TorchNet& net() const { return net_; }
  const Layout& layout() const override { return layout_; }
  absl::Status Initialize(uint64_t stream, Buffer x) override;
  absl::Status Bind(Buffer x, Buffer g) override;
  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t stream,
                                             const BucketReady& ready) override;
  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override;
  absl::StatusOr<std::vector<std::vector<int64_t>>> Translate(const Batch& batch) override;
  absl::Status VisitState(StateVisitor* visitor) override;

 private:
  // As Fields; FAILED_PRECONDITION without parameters.
  absl::StatusOr<std::vector<torch::Tensor>> FieldsToEvaluate(const Batch& batch) const;

  // Tells the model that a parameter's gradient is complete.
  struct Hook : torch::autograd::FunctionPostHook {
    Hook(TorchModel* model, int parameter) : model(model), parameter(parameter) {}
    variable_list operator()(const variable_list& outputs, const variable_list&) override {
      model->OnGradient(parameter);
      return outputs;
    }
    TorchModel* const model;
    const int parameter;
  };

  struct Parameter {
    std::string name;
    torch::Tensor tensor;
    // The tensor itself refers to it weakly; the hook would be lost with it.
    NodePointer accumulator;
    int bucket = 0;
  };

  void OnGradient(int parameter);
  void AttachHooks();
  void DryPass(const DataSpec& data);  // appends to completed_
  absl::StatusOr<std::vector<torch::Tensor>> Fields(const Batch& batch) const;

  // In which type the net gets a field of type `type`.
  torch::ScalarType FieldType(torch::ScalarType type) const {
    return torch::isFloatingType(type) ? ScalarTypeOf(dtype_) : torch::kInt64;
  }

  Place place() const { return device_ == nullptr ? Place::kHost : Place::kDevice; }
  // Where the net's tensors are.
  torch::Device device() const {
    return device_ == nullptr ? torch::Device(torch::kCPU) : device_->device();
  }
  std::unique_ptr<TorchDevice::Scope> Enter() const {
    return device_ == nullptr ? nullptr : device_->Enter();
  }

  absl::Status Check(absl::string_view what, const Buffer& arena) const {
    return CheckArena(name_, what, layout_, dtype_, arena, place());
  }
  void FillWithStartingValues(uint64_t stream, Buffer x) const;  // on the host

  // In training or evaluation; `compute` is the net's forward or translate.
  template <typename Compute>
  auto Forward(bool training, const Compute& compute) {
    if (net_.module->is_training() != training) net_.module->train(training);
    const AutocastScope autocast(autocast_, device().type());
    return compute();
  }

  // The mean of the losses in training.
  torch::Tensor Loss(const std::vector<torch::Tensor>& fields, uint64_t stream) {
    return Forward(/*training=*/true,
                   [&] { return InFullPrecision(net_.forward(fields, stream).losses).mean(); });
  }

  const std::string name_;   // mlp
  const std::string title_;  // model "mlp"
  const TorchNet net_;
  const DType dtype_;
  const std::optional<DType> autocast_;
  TorchDevice* const device_;
  size_t fields_ = 0;
  Layout layout_;
  std::vector<Parameter> parameters_;  // as the module lists them
  std::vector<int> order_;             // layout_.tensors[i] is parameters_[order_[i]]
  std::vector<StartingDistribution> starting_;
  std::vector<torch::Tensor> built_;  // starting values on the host, if net_.start is kAsBuilt
  Buffer x_, g_;
  torch::Tensor loss_;  // of the last pass

  // The backward pass under way. While order_ is being found there are no buckets to report.
  std::vector<int> completed_;  // parameters, in the order of their gradients
  std::vector<int> missing_;    // gradients per bucket
  int next_bucket_ = 0;
  const BucketReady* ready_ = nullptr;
  absl::Status ready_status_;
};

void TorchModel::OnGradient(int parameter) {
  completed_.push_back(parameter);
  if (ready_ == nullptr) return;
  --missing_[parameters_[parameter].bucket];
  while (next_bucket_ < static_cast<int>(missing_.size()) && missing_[next_bucket_] == 0) {
    // Autograd cannot be interrupted, so later gradients are computed and ignored.
    if (ready_status_.ok()) ready_status_ = (*ready_)(next_bucket_);
    ++next_bucket_;
  }
}

absl::Status TorchModel::MakeLayoutFromDryPass(const DataSpec& data, int64_t bucket_bytes) {
  ComputeOnThisThreadOnly();
  const auto scope = Enter();
  RETURN_IF_ERROR(CatchExceptions(absl::StrCat(title_, ": pass over a batch of zeros"), [&] {
    AttachHooks();
    DryPass(data);
  }));

  order_ = std::exchange(completed_, {});
  std::vector<TensorInfo> tensors;
  for (int index : order_) {
    const Parameter& parameter = parameters_[index];
    TensorInfo info;
    info.name = parameter.name;
    info.shape = parameter.tensor.sizes().vec();
    info.decay = DecaysByDefault(info.shape);
    tensors.push_back(std::move(info));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (std::count(order_.begin(), order_.end(), i) == 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(title_, ": tensor \"", parameters_[i].name,
                     "\" gets no gradient; the loss must depend on every parameter"));
  }

  layout_ = MakeLayout(std::move(tensors), bucket_bytes, SizeOf(dtype_));
  int bucket = 0;
  for (size_t i = 0; i < order_.size(); ++i) {
    const Range& range = layout_.buckets[bucket];
    if (layout_.tensors[i].offset >= range.offset + range.count) ++bucket;
    parameters_[order_[i]].bucket = bucket;
  }
  if (net_.start == TorchNet::Start::kAsBuilt) {
    // Aliases: binding gives the parameters other memory.
    for (int index : order_) built_.push_back(parameters_[index].tensor.detach().cpu());
    return absl::OkStatus();
  }
  auto starting = StartingDistributions(layout_, net_.starting);
  RETURN_IF_ERROR(WithContext(starting.status(), title_));
  starting_ = *std::move(starting);
  return absl::OkStatus();
}

void TorchModel::AttachHooks() {
  // Module::to would convert integer buffers (counters) too.
  const auto convert = [this](const torch::Tensor& tensor) {
    const bool real = tensor.is_floating_point();
    tensor.set_data(tensor.to(device(), real ? ScalarTypeOf(dtype_) : tensor.scalar_type()));
  };
  for (const torch::Tensor& tensor : net_.module->parameters()) convert(tensor);
  for (const torch::Tensor& tensor : net_.module->buffers()) convert(tensor);
  for (const auto& item : net_.module->named_parameters()) {
    Parameter parameter;
    parameter.name = item.key();
    parameter.tensor = item.value();
    parameter.accumulator = torch::autograd::impl::grad_accumulator(parameter.tensor);
    parameter.accumulator->add_post_hook(
        std::make_unique<Hook>(this, static_cast<int>(parameters_.size())));
    parameters_.push_back(std::move(parameter));
  }
}

void TorchModel::DryPass(const DataSpec& data) {
  constexpr int64_t kExamples = 2;  // batch norm refuses one
  constexpr int64_t kLength = 2;    // of sequences of any length
  std::vector<torch::Tensor> fields;
  for (const FieldSpec& field : data.fields) {
    std::vector<int64_t> shape = {kExamples};
    for (int64_t extent : field.shape) {
      const int64_t length = extent < 0 ? kLength : extent;
      shape.push_back(net_.takes_any_length ? std::min(length, kLength) : length);
    }
    // Token 0 may be padding, which is no target.
    const bool tokens = data.vocabulary > 1 && field.type == DType::kI64;
    fields.push_back(
        torch::full(shape, tokens ? 1 : 0,
                    torch::TensorOptions(FieldType(ScalarTypeOf(field.type))).device(device())));
  }
  fields_ = fields.size();

  const std::vector<torch::Tensor> buffers = net_.module->buffers();
  std::vector<torch::Tensor> saved;
  for (const torch::Tensor& buffer : buffers) saved.push_back(buffer.clone());
  Loss(fields, /*stream=*/0).backward();
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(saved[i]);
  for (Parameter& parameter : parameters_) parameter.tensor.mutable_grad() = torch::Tensor();
}

void TorchModel::FillWithStartingValues(uint64_t stream, Buffer x) const {
  if (net_.start == TorchNet::Start::kDrawn) {
    DrawStartingValues(layout_, starting_, stream, x);
    return;
  }
  ops::Zero(x);
  for (size_t i = 0; i < built_.size(); ++i) {
    const TensorInfo& info = layout_.tensors[i];
    View(x.Slice(info.offset, info.count), info.shape).copy_(built_[i]);
  }
}

absl::Status TorchModel::Initialize(uint64_t stream, Buffer x) {
  RETURN_IF_ERROR(Check("x", x));
  if (device_ == nullptr) {
    FillWithStartingValues(stream, x);
    return absl::OkStatus();
  }
  const Arena values(x.count, x.type);
  FillWithStartingValues(stream, values.buffer());
  ops::Copy(values.buffer(), x);
  return LinkedDevice()->Wait(CurrentQueue());  // then `values` may go
}

absl::Status TorchModel::Bind(Buffer x, Buffer g) {
  RETURN_IF_ERROR(Check("x", x));
  if (g.count != 0) RETURN_IF_ERROR(Check("g", g));
  const auto scope = Enter();
  for (size_t i = 0; i < order_.size(); ++i) {
    const TensorInfo& info = layout_.tensors[i];
    const torch::Tensor& tensor = parameters_[order_[i]].tensor;
    tensor.set_data(View(x.Slice(info.offset, info.count), info.shape));
    tensor.mutable_grad() =
        g.count == 0 ? torch::Tensor() : View(g.Slice(info.offset, info.count), info.shape);
  }
  x_ = x;
  g_ = g;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<torch::Tensor>> TorchModel::Fields(const Batch& batch) const {
  if (batch.fields.size() != fields_ || batch.size < 1) {
    return absl::InvalidArgumentError(absl::StrCat(title_, " was made for batches of ", fields_,
                                                   " fields and at least one example; given are ",
                                                   batch.fields.size(), " fields and ", batch.size,
                                                   " examples"));
  }
  std::vector<torch::Tensor> fields;
  for (const BatchField& field : batch.fields) {
    const Buffer buffer = field.buffer();
    CHECK(buffer.place == Place::kHost || device_ != nullptr)
        << title_ << " computes on the host, and the batch lies elsewhere";
    const torch::Tensor values = View(buffer, field.shape);
    fields.push_back(values.to(device(), FieldType(values.scalar_type()), /*non_blocking=*/true));
  }
  return fields;
}

absl::StatusOr<StepResult> TorchModel::ForwardBackward(const Batch& batch, uint64_t stream,
                                                       const BucketReady& ready) {
  if (g_.count == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(title_, ": no gradients are bound; Bind(x, g) comes before ForwardBackward"));
  }
  ComputeOnThisThreadOnly();
  // Autograd adds to what it finds. (Left undefined, it would put a tensor of its own there.)
  ops::Zero(g_);
  const auto scope = Enter();
  ASSIGN_OR_RETURN(const auto fields, Fields(batch));
  missing_.assign(layout_.buckets.size(), 0);
  for (const Parameter& parameter : parameters_) ++missing_[parameter.bucket];
  completed_.clear();
  next_bucket_ = 0;
  ready_status_ = absl::OkStatus();
  ready_ = &ready;
  StepResult result;
  const absl::Status status = CatchExceptions(absl::StrCat(title_, ": training pass"), [&] {
    const torch::Tensor loss = Loss(fields, stream);
    ForwardDone();
    loss.backward(torch::full_like(loss, loss_scale()));
    loss_ = loss.detach();
    result = {Buffer{loss_.data_ptr(), 1, *DTypeFor(loss_.scalar_type()), place()}, batch.size};
  });
  ready_ = nullptr;
  RETURN_IF_ERROR(ready_status_);
  RETURN_IF_ERROR(status);

  CHECK_EQ(next_bucket_, static_cast<int>(layout_.buckets.size()))
      << title_ << ": a tensor that had a gradient in the dry pass has none now";
  for (size_t i = 0; i < order_.size(); ++i) {
    CHECK_EQ(parameters_[order_[i]].tensor.grad().data_ptr(),
             g_.Slice(layout_.tensors[i].offset, 0).data)
        << title_ << ": autograd moved the gradient of " << layout_.tensors[i].name;
  }
  return result;
}

absl::StatusOr<std::vector<torch::Tensor>> TorchModel::FieldsToEvaluate(const Batch& batch) const {
  if (x_.count == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(title_, ": no parameters are bound; Bind comes before Evaluate"));
  }
  ComputeOnThisThreadOnly();
  return Fields(batch);
}

absl::StatusOr<std::vector<std::vector<int64_t>>> TorchModel::Translate(const Batch& batch) {
  if (!net_.translate) return Model::Translate(batch);
  const auto scope = Enter();
  ASSIGN_OR_RETURN(const auto fields, FieldsToEvaluate(batch));
  std::vector<std::vector<int64_t>> translations;
  RETURN_IF_ERROR(CatchExceptions(absl::StrCat(title_, ": translation"), [&] {
    torch::NoGradGuard no_grad;
    translations = Forward(/*training=*/false, [&] { return net_.translate(fields); });
  }));
  return translations;
}

absl::Status TorchModel::Evaluate(const Batch& batch, MetricSums* sums) {
  const auto scope = Enter();
  ASSIGN_OR_RETURN(const auto fields, FieldsToEvaluate(batch));
  return CatchExceptions(absl::StrCat(title_, ": evaluation"), [&] {
    torch::NoGradGuard no_grad;
    const TorchOutput output =
        Forward(/*training=*/false, [&] { return net_.forward(fields, /*stream=*/0); });
    MetricSums batch_sums;
    batch_sums.loss = output.losses.sum(torch::kFloat64).item<double>();
    if (output.correct.defined()) batch_sums.correct = output.correct.sum().item<double>();
    batch_sums.targets = output.losses.numel();
    sums->Add(batch_sums);
  });
}

absl::Status TorchModel::VisitState(StateVisitor* visitor) {
  const auto scope = Enter();
  for (const auto& item : net_.module->named_buffers()) {
    const torch::Tensor& tensor = item.value();
    RETURN_IF_ERROR(visitor->VisitTensor(
        item.key(), tensor.sizes().vec(),
        Buffer{tensor.data_ptr(), tensor.numel(), *DTypeFor(tensor.scalar_type()), place()}));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CatchExceptions(absl::string_view context, const std::function<void()>& body) {
  std::string text;
  try {
    body();
    return absl::OkStatus();
  } catch (const c10::Error& error) {
    text = error.what_without_backtrace();
  } catch (const std::exception& error) {
    text = error.what();
  }
  const absl::string_view message = absl::StripLeadingAsciiWhitespace(text);
  return absl::InvalidArgumentError(
      absl::StrCat(context, ": ", message.substr(0, message.find('\n'))));
}

absl::StatusOr<std::unique_ptr<Model>> MakeTorchModel(absl::string_view name,
                                                      const Model::Context& context,
                                                      const std::function<TorchNet()>& build) {
  CHECK(context.data != nullptr);
  if (context.dtype != DType::kF32 && context.dtype != DType::kF64) {
    return absl::InvalidArgumentError(absl::StrCat("model \"", name, "\" computes in F32 or F64, ",
                                                   "not in ", DTypeName(context.dtype)));
  }
  RETURN_IF_ERROR(CheckAutocast(name, context));
  TorchDevice* device = nullptr;
  if (context.place == Place::kDevice) {
    ASSIGN_OR_RETURN(device, TorchDeviceFor(name));
    device->SetDeterministic(context.deterministic);
  }
  TorchNet net;
  RETURN_IF_ERROR(CatchExceptions(absl::StrCat("model \"", name, "\""), [&] { net = build(); }));
  RETURN_IF_ERROR(CheckBuffers(absl::StrCat("model \"", name, "\""), *net.module));
  auto model = std::make_unique<TorchModel>(name, std::move(net), context, device);
  RETURN_IF_ERROR(model->MakeLayoutFromDryPass(*context.data, context.bucket_bytes));
  return model;
}

const TorchNet* NetOf(const Model& model) {
  const auto* torch_model = dynamic_cast<const TorchModel*>(&model);
  return torch_model == nullptr ? nullptr : &torch_model->net();
}

}  // namespace starling
