// Every registered model, with the defaults of its config, on images of Fashion-MNIST's size. Large
// models are made small.
#include <map>
#include <string>
#include <vector>

#include "core/registry.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

std::vector<ModelCase> Cases() {
  const std::map<std::string, std::string> small = {{"resnet", "width: 4 blocks: [1, 1]"}};
  std::vector<ModelCase> cases;
  for (const std::string& name : Registry<Model>::Global().Names()) {
    const auto config = small.find(name);
    cases.push_back(
        {name, name, config == small.end() ? "" : config->second, LabelledSpec({1, 28, 28}, 10)});
    cases.back().couples_examples = name == "resnet";
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

}  // namespace
}  // namespace starling
