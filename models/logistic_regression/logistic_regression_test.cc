#include <cmath>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"
#include "data/dataset.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

std::vector<ModelCase> Cases() {
  return {
      {"TwoClasses", "logistic_regression", "", LabelledSpec({5}, 2)},
      {"Images", "logistic_regression", "", LabelledSpec({3, 4, 4}, 10)},
  };
}

INSTANTIATE_TEST_SUITE_P(LogisticRegression, ModelConformance, testing::ValuesIn(Cases()),
                         ModelCaseName);

// With all parameters zero every class is equally likely: the loss is log(classes), and the
// gradient of bias c is 1 / classes - share of the examples with label c.
TEST(LogisticRegressionTest, ClosedFormAtZero) {
  const DataSpec data = LabelledSpec({6}, 4);
  Model::Context context;
  context.data = &data;
  context.dtype = DType::kF64;
  const auto model = CreateModel("logistic_regression", "", context).value();
  EXPECT_EQ(model->layout().parameters(), 6 * 4 + 4);
  const Arenas arenas(model->layout(), DType::kF64);
  ASSERT_TRUE(model->Bind(arenas.x(), arenas.g()).ok());
  const Batch batch = MadeUpBatch(data, 10, 1);
  EXPECT_NEAR(Pass(model.get(), batch), std::log(4.0), 1e-14);
  std::vector<double> expected(4, 0.25);
  for (int64_t label : batch.fields[1].buffer().as<int64_t>()) expected[label] -= 0.1;
  for (const TensorInfo& tensor : model->layout().tensors) {
    if (tensor.name != "linear.bias") continue;
    ASSERT_EQ(tensor.count, 4);
    for (int c = 0; c < 4; ++c) {
      EXPECT_NEAR(GetElement(arenas.g(), tensor.offset + c), expected[c], 1e-15);
    }
  }
}

}  // namespace
}  // namespace starling
