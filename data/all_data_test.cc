// Every data set and partition that data/plugins.bzl lists, with its defaults.
#include <stdlib.h>

#include <string>
#include <vector>

#include "core/plugin_table.h"
#include "core/registry.h"
#include "core/run/test_files.h"
#include "data/dataset_conformance.h"
#include "data/partition_conformance.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::IsSupersetOf;

// Where data are prepared, before any data set is made.
const bool cache_set = [] {
  setenv("XDG_CACHE_HOME", NewDirectory().c_str(), 1);
  return true;
}();

PluginRef Ref(const std::string& name) {
  PluginRef ref;
  ref.set_name(name);
  return ref;
}

std::vector<DatasetCase> Datasets() {
  std::vector<DatasetCase> cases;
  for (const auto& name : Registry<Dataset>::Global().Names()) {
    // tensor_file has no default: it is what its files are.
    if (name != "tensor_file") cases.push_back({Ref(name)});
  }
  return cases;
}

std::vector<PluginRef> Partitions() {
  std::vector<PluginRef> refs;
  for (const auto& name : Registry<Partition>::Global().Names()) refs.push_back(Ref(name));
  return refs;
}

INSTANTIATE_TEST_SUITE_P(Registered, DatasetConformance, testing::ValuesIn(Datasets()),
                         DatasetCaseName);
INSTANTIATE_TEST_SUITE_P(Registered, PartitionConformance, testing::ValuesIn(Partitions()),
                         PartitionCaseName);

TEST(AllDataTest, EverythingIsRegistered) {
  EXPECT_THAT(Registry<Dataset>::Global().Names(),
              IsSupersetOf({"cifar10", "fashion_mnist", "imagefolder", "no_data",
                            "synthetic_classification", "text", "tokens", "translation"}));
  EXPECT_THAT(Registry<Partition>::Global().Names(), IsSupersetOf({"dirichlet", "iid", "shards"}));
}

TEST(AllDataTest, EverythingSaysWhatItIs) {
  for (const char* kind : {Dataset::kKind, Partition::kKind}) {
    for (const PluginInfo* info : PluginTable::Global().List(kind)) {
      EXPECT_FALSE(info->facts.summary.empty()) << info->facts.name;
    }
  }
}

}  // namespace
}  // namespace starling
