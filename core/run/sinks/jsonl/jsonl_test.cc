#include <limits>
#include <memory>
#include <string>

#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/metrics.h"
#include "core/run/test_files.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

// What the file holds after one record.
std::string Written(const MetricRecord& record) {
  const std::string directory = NewDirectory();
  PluginRef ref;
  ref.set_name("jsonl");
  auto sink = Registry<MetricSink>::Global().Create(ref, {directory});
  CHECK_OK(sink);
  CHECK_OK((*sink)->Record(record));
  return *ReadFile(directory + "/metrics.jsonl");
}

TEST(JsonlTest, OneLineWithTheFieldsInOrder) {
  MetricRecord record;
  record.step = 3;
  record.epoch = 0.5;
  record.wall_seconds = 1.25;
  record.values = {{"train/loss", 0.1}, {"a \"quoted\"\nname", 1}};
  EXPECT_EQ(Written(record), R"({"step":3,"epoch":0.5,"worker":-1,"wall_s":1.25,"train/loss":0.1,)"
                             R"("a \"quoted\"\nname":1.0})"
                             "\n");
}

TEST(JsonlTest, NumbersComeBackAsTheyWere) {
  MetricRecord record;
  record.step = std::numeric_limits<int64_t>::max();
  record.worker = 7;
  record.values = {{"third", 1.0 / 3}, {"tiny", 4.9e-324}, {"huge", 1.7976931348623157e308}};
  const nlohmann::json json = nlohmann::json::parse(Written(record));
  EXPECT_EQ(json["step"], record.step);
  EXPECT_EQ(json["worker"], 7);
  for (const auto& [name, value] : record.values) EXPECT_EQ(json[name].get<double>(), value);
}

TEST(JsonlTest, NanAndInfinityAreNull) {
  MetricRecord record;
  record.values = {{"nan", std::numeric_limits<double>::quiet_NaN()},
                   {"infinity", -std::numeric_limits<double>::infinity()}};
  const nlohmann::json json = nlohmann::json::parse(Written(record));
  EXPECT_TRUE(json["nan"].is_null());
  EXPECT_TRUE(json["infinity"].is_null());
}

}  // namespace
}  // namespace starling
