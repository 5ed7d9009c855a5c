// Every registered model: with the defaults of its config on images of Fashion-MNIST's size, or as
// listed here.
#include <algorithm>
#include <string>
#include <vector>

#include "core/registry.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

// Models for other data or too large for finite differences: small, and without dropout.
std::vector<ModelCase> Listed() {
  return {
      {"gpt2", "gpt2", "layers: 1 heads: 2 width: 8", TextSpec(5, 9)},
      {"lstm", "lstm", "layers: 1 embedding: 4 hidden: 5", TextSpec(5, 9)},
      {"resnet", "resnet", "width: 4 blocks: [1, 1]", LabelledSpec({1, 28, 28}, 10), true},
      {"transformer", "transformer",
       "d_model: 8 heads: 2 encoder_layers: 1 decoder_layers: 1 ff: 8 dropout: 0 label_smoothing: "
       "0",
       TranslationSpec(9)},
  };
}

std::vector<ModelCase> Cases() {
  std::vector<ModelCase> cases = Listed();
  for (const std::string& name : Registry<Model>::Global().Names()) {
    if (name == "torchscript") continue;  // has no default: it is what its file is
    const auto listed = std::find_if(cases.begin(), cases.end(),
                                     [&](const ModelCase& other) { return other.plugin == name; });
    if (listed == cases.end()) cases.push_back({name, name, "", LabelledSpec({1, 28, 28}, 10)});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

}  // namespace
}  // namespace starling
