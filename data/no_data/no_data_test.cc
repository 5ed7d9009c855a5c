#include "core/config/plugin_ref.pb.h"
#include "core/registry.h"
#include "data/dataset_conformance.h"
#include "data/no_data/no_data.pb.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

PluginRef Ref() {
  PluginRef ref;
  ref.set_name("no_data");
  return ref;
}

INSTANTIATE_TEST_SUITE_P(Defaults, DatasetConformance, testing::Values(DatasetCase{Ref()}),
                         DatasetCaseName);

TEST(NoDataTest, HasSizesButNoFields) {
  NoDataConfig config;
  config.set_examples(5);
  PluginRef ref = Ref();
  ref.mutable_config()->PackFrom(config);
  const auto dataset = Registry<Dataset>::Global().Create(ref, {});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 5);
  EXPECT_EQ((*dataset)->size(Split::kTest), 1);
  EXPECT_TRUE((*dataset)->spec().fields.empty());
  Batch batch;
  ASSERT_TRUE((*dataset)->Read(Split::kTrain, {4, 0}, 0, &batch).ok());
  EXPECT_EQ(batch.size, 2);
}

TEST(NoDataTest, AnswersToNone) {
  PluginRef ref;
  ref.set_name("none");
  EXPECT_TRUE(Registry<Dataset>::Global().Create(ref, {}).ok());
}

}  // namespace
}  // namespace starling
