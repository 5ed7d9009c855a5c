// The tests that every data set must pass. A plug-in's test instantiates them:
//
//   INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance, testing::Values(DatasetCase{ref}),
//                            DatasetCaseName);
//
// Instances whose files are not on this machine (NOT_FOUND from the factory) are skipped with
// that message.
#ifndef DATA_DATASET_CONFORMANCE_H_
#define DATA_DATASET_CONFORMANCE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/config/plugin_ref.pb.h"
#include "data/dataset.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"

namespace starling {

struct DatasetCase {
  PluginRef dataset;
  // False for data in which examples of different splits may be equal.
  bool distinct_examples = true;
};

// The name of the plug-in.
std::string DatasetCaseName(const testing::TestParamInfo<DatasetCase>& info);

// For tests: the data set `name` with this config, as an experiment names it, and the data set
// itself.
PluginRef DatasetRef(const std::string& name, const google::protobuf::Message& config);
absl::StatusOr<std::unique_ptr<Dataset>> MakeDataset(const std::string& name,
                                                     const google::protobuf::Message& config,
                                                     const Dataset::Context& context = {});

class DatasetConformance : public testing::TestWithParam<DatasetCase> {
 protected:
  void SetUp() override;  // makes dataset_ with seed 1, or skips

  // Null, with a test failure, if the data set cannot be made.
  std::unique_ptr<Dataset> Make(uint64_t seed) const;

  std::unique_ptr<Dataset> dataset_;
};

}  // namespace starling

#endif  // DATA_DATASET_CONFORMANCE_H_
