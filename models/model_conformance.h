// Tests that every model passes. A plug-in's test lists its configs with data to try them on:
//
//   std::vector<ModelCase> Cases() {
//     return {{"Default", "mlp", "", LabelledSpec({5}, 3)}};
//   }
//   INSTANTIATE_TEST_SUITE_P(Mlp, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);
//
// They hold a model to its header: the layout covers the arena and cutting it into buckets moves
// nothing; starting values depend on the stream alone; gradients agree with finite differences,
// are written and not added, and are final when their bucket is reported; binding leaves other
// arenas alone; evaluation changes nothing; bits depend on neither thread nor address. They are
// for models that treat every example alike in training and evaluation, with one worker (no
// dropout); two of them leave out models with batch norm. Models that have mixed precision come
// near what they compute without.
#ifndef MODELS_MODEL_CONFORMANCE_H_
#define MODELS_MODEL_CONFORMANCE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "core/buffer.h"
#include "data/dataset.h"
#include "gtest/gtest.h"
#include "models/model.h"

namespace starling {

struct ModelCase {
  std::string name;    // of the test: letters and digits
  std::string plugin;  // registered name
  std::string config;  // the plug-in's config message in text format
  DataSpec data;
  bool couples_examples = false;  // batch norm: an example's loss depends on the batch around it
};

inline std::string ModelCaseName(const testing::TestParamInfo<ModelCase>& info) {
  return info.param.name;
}

class ModelConformance : public testing::TestWithParam<ModelCase> {
 protected:
  ModelConformance();

  // A new instance of the model; CHECK-fails on errors.
  std::unique_ptr<Model> Make(DType type = DType::kF32, int64_t bucket_bytes = 25 << 20) const;

  const Batch batch_;  // four made-up examples
};

}  // namespace starling

#endif  // MODELS_MODEL_CONFORMANCE_H_
