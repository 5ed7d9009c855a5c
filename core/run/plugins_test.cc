#include "core/registry.h"
#include "core/run/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(MetricSinkPluginsTest, AreRegisteredUnderTheirNames) {
  EXPECT_THAT(Registry<MetricSink>::Global().Names(),
              ::testing::ElementsAre("csv", "jsonl", "tensorboard"));
}

}  // namespace
}  // namespace starling
