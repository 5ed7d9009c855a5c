// A model that torch.jit exported from Python, by scripting or tracing. README.md is its contract.
//
// TorchModel binds and visits the tensors of a torch::nn::Module; ScriptNet shows it those of the
// script module under the same names. They are the same tensors, so binding one binds both.
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "models/classification.h"
#include "models/model.h"
#include "models/torch/torch_model.h"
#include "models/torchscript/script_dropout.h"
#include "models/torchscript/torchscript.pb.h"
#include "torch/csrc/jit/api/module.h"
#include "torch/csrc/jit/serialization/import.h"
#include "torch/nn/module.h"
#include "torch/version.h"

namespace starling {
namespace {

// The tensors of `script` and, as children, those of its submodules. A tensor that several modules
// share appears once, under its first name. Parameters with requires_grad = False are no
// parameters here but buffers: they stay as they are.
class TensorsOf : public torch::nn::Module {
 public:
  TensorsOf(const torch::jit::Module& script, std::set<const void*>* seen) {
    for (const auto& parameter : script.named_parameters(/*recurse=*/false)) {
      if (!seen->insert(parameter.value.unsafeGetTensorImpl()).second) continue;
      if (parameter.value.requires_grad()) {
        register_parameter(parameter.name, parameter.value);
      } else {
        register_buffer(parameter.name, parameter.value);
      }
    }
    for (const auto& buffer : script.named_buffers(/*recurse=*/false)) {
      if (!seen->insert(buffer.value.unsafeGetTensorImpl()).second) continue;
      register_buffer(buffer.name, buffer.value);
    }
    for (const auto& child : script.named_children()) {
      register_module(child.name, std::make_shared<TensorsOf>(child.value, seen));
    }
  }
};

std::string ShapeOf(const torch::Tensor& tensor) { return ShapeText(tensor.sizes().vec()); }

// What an exception in a script says ("RuntimeError: ..."), without the source lines quoted in
// front and the place among them.
std::string WithoutTraceback(absl::string_view text) {
  if (const size_t here = text.rfind("<--- HERE"); here != absl::string_view::npos) {
    text.remove_prefix(here);
  }
  for (absl::string_view rest = text; !rest.empty();) {
    const size_t name = rest.find(": ");
    if (name != absl::string_view::npos && name > 0 &&
        std::all_of(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(name),
                    [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_'; })) {
      return std::string(rest);
    }
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  }
  return std::string(text);
}

class ScriptNet final : public TensorsOf {
 public:
  // `fields` is how many of the data set's fields forward takes: all of them, or all but the last.
  ScriptNet(torch::jit::Module script, size_t fields, const DataSpec& data,
            std::set<const void*> seen = {})
      : TensorsOf(script, &seen),
        script_(std::move(script)),
        fields_(fields),
        classes_(std::max(data.classes, data.vocabulary)) {}

  void train(bool on) override {
    torch::nn::Module::train(on);
    script_.train(on);
  }

  TorchOutput Losses(const std::vector<torch::Tensor>& fields, uint64_t stream) {
    // The optimizer of TorchScript rewrites a graph after it has seen a few passes, and with it the
    // rounding: a resumed run would differ from one that was never stopped.
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    const DropoutStream dropout(stream);
    torch::Tensor result;
    try {
      const auto end = fields.begin() + static_cast<ptrdiff_t>(fields_);
      result = script_.forward({fields.begin(), end}).toTensor();
    } catch (const std::exception& error) {
      throw std::runtime_error(WithoutTraceback(error.what()));
    }
    if (fields_ < fields.size()) return FromLogits(result, fields.back());
    if (!result.is_floating_point() || result.dim() == 0 || result.size(0) != fields[0].size(0)) {
      throw std::invalid_argument(absl::StrCat(
          "forward takes all fields, so it must return a loss for each example (reduction=\"none\"",
          "), [", fields[0].size(0), ", ...] numbers here; it returns ", ShapeOf(result), " of ",
          torch::toString(result.scalar_type())));
    }
    return {result.flatten(), {}};
  }

 private:
  TorchOutput FromLogits(const torch::Tensor& logits, const torch::Tensor& labels) const {
    const bool fit = logits.is_floating_point() && logits.dim() == labels.dim() + 1 &&
                     logits.sizes().slice(0, labels.dim()) == labels.sizes() &&
                     logits.size(-1) >= classes_;
    if (!fit) {
      throw std::invalid_argument(absl::StrCat(
          "forward takes all fields but the last, so it must return logits for that one's labels ",
          ShapeOf(labels), ", the classes (", classes_, ") as one more axis; it returns ",
          ShapeOf(logits), " of ", torch::toString(logits.scalar_type())));
    }
    return CrossEntropy(logits.flatten(0, -2), labels.flatten());
  }

  torch::jit::Module script_;
  const size_t fields_;
  const int64_t classes_;
};

class Torchscript final {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const TorchscriptConfig& config,
                                                       const Model::Context& context) {
    if (config.file().empty()) {
      return absl::InvalidArgumentError(
          "model \"torchscript\": model.config.file is not set; it names a file written by "
          "torch.jit.save in Python");
    }
    const std::string path = UserPath(config.file());
    errno = 0;
    if (!std::ifstream(path)) {
      return WithContext(FileError(errno, "open", path), "model \"torchscript\"");
    }
    torch::jit::Module script;
    RETURN_IF_ERROR(CatchExceptions(
        absl::StrCat("model \"torchscript\": LibTorch ", TORCH_VERSION, " cannot load ", path,
                     " (wanted: a file written by torch.jit.save of this version or an older one)"),
        [&] { script = torch::jit::load(path, torch::kCPU); }));
    const std::string title = absl::StrCat("model \"torchscript\": ", path);
    auto fields = FieldsOfForward(script, *context.data);
    RETURN_IF_ERROR(WithContext(fields.status(), title));
    RETURN_IF_ERROR(WithContext(TakeOverDropout(&script), title));
    return MakeTorchModel("torchscript", context, [&] {
      const auto module = std::make_shared<ScriptNet>(script, *fields, *context.data);
      if (module->parameters().empty()) {
        throw std::invalid_argument(
            absl::StrCat(path, " has no parameters that require a gradient (was it frozen?)"));
      }
      TorchNet net;
      net.module = module;
      net.forward = [module = module.get()](const std::vector<torch::Tensor>& batch,
                                            uint64_t stream) {
        return module->Losses(batch, stream);
      };
      if (config.starting_values() == TorchscriptConfig::FROM_FILE) {
        net.start = TorchNet::Start::kAsBuilt;
      }
      return net;
    });
  }

 private:
  // How many fields of `data` forward takes: as many tensors as it has arguments.
  static absl::StatusOr<size_t> FieldsOfForward(const torch::jit::Module& script,
                                                const DataSpec& data) {
    const auto method = script.find_method("forward");
    if (!method.has_value()) return absl::InvalidArgumentError("it has no method \"forward\"");
    const c10::FunctionSchema& schema = method->function().getSchema();
    const auto is_tensor = [](const c10::Argument& argument) {
      return argument.type()->isSubtypeOf(*c10::TensorType::get());
    };
    const size_t arguments = schema.arguments().size() - 1;  // without self
    const bool all_tensors =
        std::all_of(schema.arguments().begin() + 1, schema.arguments().end(), is_tensor) &&
        schema.returns().size() == 1 && is_tensor(schema.returns()[0]);
    const size_t fields = data.fields.size();
    if (all_tensors && arguments > 0 && (arguments == fields || arguments + 1 == fields)) {
      return arguments;
    }
    std::vector<std::string> names;
    for (const FieldSpec& field : data.fields) names.push_back(field.name);
    return absl::InvalidArgumentError(absl::StrCat(
        "forward must take the data set's fields (", absl::StrJoin(names, ", "),
        ") as tensors and return their losses, or take all but the last and return logits for it; ",
        "it is forward", SignatureOf(schema)));
  }

  // "(Tensor x, int n) -> Tensor".
  static std::string SignatureOf(const c10::FunctionSchema& schema) {
    std::vector<std::string> arguments;
    for (size_t i = 1; i < schema.arguments().size(); ++i) {
      const c10::Argument& argument = schema.arguments()[i];
      arguments.push_back(absl::StrCat(argument.type()->str(), " ", argument.name()));
    }
    std::vector<std::string> returns;
    for (const c10::Argument& result : schema.returns()) returns.push_back(result.type()->str());
    return absl::StrCat("(", absl::StrJoin(arguments, ", "), ") -> ", absl::StrJoin(returns, ", "));
  }
};

STARLING_REGISTER_PLUGIN(Model, Torchscript, TorchscriptConfig,
                         PluginFacts{"torchscript",
                                     "a model exported from Python by torch.jit (file: its path)",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/"no random operators but dropout"});

}  // namespace
}  // namespace starling
