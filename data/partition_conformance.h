// The tests that every partition must pass, for 1 to 9 workers. A plug-in's test instantiates
// them:
//
//   INSTANTIATE_TEST_SUITE_P(Defaults, PartitionConformance, testing::Values(ref),
//                            PartitionCaseName);
#ifndef DATA_PARTITION_CONFORMANCE_H_
#define DATA_PARTITION_CONFORMANCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/config/plugin_ref.pb.h"
#include "data/partition.h"
#include "gtest/gtest.h"

namespace starling {

// The name of the plug-in.
std::string PartitionCaseName(const testing::TestParamInfo<PluginRef>& info);

class PartitionConformance : public testing::TestWithParam<PluginRef> {};

// Makes the partition `ref` and asks it. `labels` may be empty.
absl::StatusOr<Assignment> Assign(const PluginRef& ref, int workers, uint64_t seed,
                                  int64_t examples, absl::Span<const int32_t> labels,
                                  int64_t classes);

// `examples` labels of `classes` classes, in random order; class c is (c + 1) times as frequent
// as class 0.
std::vector<int32_t> UnevenLabels(int64_t examples, int64_t classes);

}  // namespace starling

#endif  // DATA_PARTITION_CONFORMANCE_H_
