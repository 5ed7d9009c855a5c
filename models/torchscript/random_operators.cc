#include "models/torchscript/random_operators.h"

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "torch/csrc/jit/ir/constants.h"
#include "torch/csrc/jit/ir/ir.h"
#include "torch/csrc/jit/passes/inliner.h"

namespace starling {
namespace {

bool IsRandom(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  bool random = node.isNondeterministic();
  for (size_t i = 0; i < schema->arguments().size() && i < node.inputs().size(); ++i) {
    const std::string& name = schema->arguments()[i].name();
    const auto constant = torch::jit::toIValue(node.input(i));
    // Fused operators (lstm, attention) have a dropout inside.
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

// The first random node of `block`, null if there is none.
const torch::jit::Node* FindRandom(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (IsRandom(*node)) return node;
    for (const torch::jit::Block* inner : node->blocks()) {
      if (const torch::jit::Node* found = FindRandom(*inner)) return found;
    }
  }
  return nullptr;
}

}  // namespace

absl::Status RefuseRandomOperators(const torch::jit::Module& script) {
  const std::shared_ptr<torch::jit::Graph> graph = script.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  const torch::jit::Node* random = FindRandom(*graph->block());
  if (random == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "forward calls ", random->kind().toQualString(), ", which draws from LibTorch's own random ",
      "numbers, so that no run could be repeated; export the model without it (dropout with p=0)"));
}

}  // namespace starling
