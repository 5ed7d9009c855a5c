// Every registered model, with the defaults of its config, on images of Fashion-MNIST's size.
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
  std::vector<ModelCase> cases;
  for (const std::string& name : Registry<Model>::Global().Names()) {
    if (name == "torchscript") continue;  // has no default: it is what its file is
    cases.push_back({name, name, "", LabelledSpec({1, 28, 28}, 10)});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

}  // namespace
}  // namespace starling
