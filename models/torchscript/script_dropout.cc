#include "models/torchscript/script_dropout.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "glog/logging.h"
#include "models/torch/dropout.h"
#include "torch/csrc/jit/ir/constants.h"
#include "torch/csrc/jit/ir/ir.h"
#include "torch/csrc/jit/passes/inliner.h"
#include "torch/library.h"
#include "torch/types.h"

namespace starling {
namespace {

struct Draws {
  uint64_t stream = 0;
  int next_place = 0;
};

thread_local std::optional<Draws> draws;

torch::Tensor ScriptDropout(const torch::Tensor& input, double p, bool train) {
  TORCH_CHECK(p >= 0 && p < 1, "dropout's probability must be at least 0 and below 1; it is ", p);
  CHECK(draws.has_value()) << "a script runs outside of a DropoutStream";
  return Dropout(input, p, draws->stream, draws->next_place++, train);
}

torch::Tensor& ScriptDropoutInPlace(torch::Tensor& input, double p, bool train) {
  return train ? input.copy_(ScriptDropout(input, p, train)) : input;
}

TORCH_LIBRARY(starling, library) {
  library.def("dropout(Tensor input, float p, bool train) -> Tensor", ScriptDropout);
  library.def("dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)", ScriptDropoutInPlace);
}

// The name of our operator for this node's; empty if we have none.
std::string OwnOperator(const torch::jit::Node& node) {
  const std::string name = node.kind().toQualString();
  if (name == "aten::dropout" || name == "aten::dropout_") {
    return absl::StrCat("starling::", node.kind().toUnqualString());
  }
  return "";
}

bool IsRandom(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  bool random = node.isNondeterministic();
  for (size_t i = 0; i < schema->arguments().size() && i < node.inputs().size(); ++i) {
    const std::string& name = schema->arguments()[i].name();
    const auto constant = torch::jit::toIValue(node.input(i));
    // Layers as one operator (lstm, attention) have a dropout inside.
    if (name == "dropout" || name == "dropout_p" ||
        (name == "p" && absl::StrContains(schema->name(), "dropout"))) {
      if (constant.has_value() && constant->isDouble() && constant->toDouble() == 0) return false;
      random = true;
    } else if (name == "train" || name == "training") {
      if (constant.has_value() && constant->isBool() && !constant->toBool()) return false;
    } else if (name == "generator") {
      random = true;
    }
  }
  return random;
}

void AppendRandomNodes(torch::jit::Block* block, std::vector<torch::jit::Node*>* found) {
  for (torch::jit::Node* node : block->nodes()) {
    if (IsRandom(*node)) found->push_back(node);
    for (torch::jit::Block* inner : node->blocks()) AppendRandomNodes(inner, found);
  }
}

}  // namespace

absl::Status TakeOverDropout(torch::jit::Module* script) {
  const std::shared_ptr<torch::jit::Graph> graph = script->get_method("forward").graph();
  torch::jit::Inline(*graph);
  std::vector<torch::jit::Node*> random;
  AppendRandomNodes(graph->block(), &random);
  for (torch::jit::Node* node : random) {
    const std::string own = OwnOperator(*node);
    if (own.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "forward calls ", node->kind().toQualString(),
          ", which draws from LibTorch's own random ",
          "numbers, so that no run could be repeated; the only random operator it may use is ",
          "torch.nn.functional.dropout"));
    }
    node->replaceWithNewSymbol(c10::Symbol::fromQualString(own));
    node->destroy();
  }
  return absl::OkStatus();
}

DropoutStream::DropoutStream(uint64_t stream) {
  CHECK(!draws.has_value());
  draws = Draws{stream, 0};
}

DropoutStream::~DropoutStream() { draws.reset(); }

}  // namespace starling
