#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/host.h"
#include "core/run/metrics.h"
#include "core/run/sinks/tensorboard/event.pb.h"
#include "core/run/sinks/tensorboard/tensorboard.pb.h"
#include "core/run/sinks/tensorboard/tfrecord.h"
#include "core/run/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::Pair;
using tfevents::Event;

double NowSeconds() { return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()); }

// The events of a file, whose frames must be whole and right.
std::vector<Event> Events(std::string file) {
  std::vector<Event> events;
  while (!file.empty()) {
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<uint8_t>(file.at(i));
    const std::string data = file.substr(12, length);
    CHECK_EQ(file.substr(0, 12 + length + 4), TfRecord(data)) << "at event " << events.size();
    CHECK(events.emplace_back().ParseFromString(data)) << "event " << events.size();
    file.erase(0, 12 + length + 4);
  }
  return events;
}

class TensorboardTest : public ::testing::Test {
 protected:
  // The events of the file after these records; checks its name.
  std::vector<Event> Written(const std::vector<MetricRecord>& records,
                             const TensorboardSinkConfig& config = {}) {
    PluginRef ref;
    ref.set_name("tensorboard");
    ref.mutable_config()->PackFrom(config);
    auto sink = Registry<MetricSink>::Global().Create(ref, {directory_});
    CHECK_OK(sink);
    for (const MetricRecord& record : records) CHECK_OK((*sink)->Record(record));
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(directory_)) paths.push_back(entry.path());
    CHECK_EQ(paths.size(), 1u);
    EXPECT_THAT(paths[0].filename().string(),
                MatchesRegex("events.out.tfevents.[0-9]{10}." + HostName() + ".starling"));
    return Events(*ReadFile(paths[0].string()));
  }

  const std::string directory_ = NewDirectory();
};

MetricRecord Record(int64_t step, int worker, std::vector<std::pair<std::string, double>> values) {
  MetricRecord record;
  record.step = step;
  record.worker = worker;
  record.values = std::move(values);
  return record;
}

std::vector<std::pair<std::string, float>> Scalars(const Event& event) {
  std::vector<std::pair<std::string, float>> scalars;
  for (const auto& value : event.summary().value()) {
    EXPECT_TRUE(value.has_simple_value());
    scalars.emplace_back(value.tag(), value.simple_value());
  }
  return scalars;
}

TEST_F(TensorboardTest, FirstEventNamesTheVersionAndOthersHoldScalars) {
  const double before = NowSeconds();
  const std::vector<Event> events = Written({
      Record(200, -1, {{"train/loss", 0.5}, {"eval/accuracy", 0}}),
      Record(300, -1, {{"train/loss", 0.25}}),
  });
  const double after = NowSeconds();
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_FALSE(events[0].has_summary());
  EXPECT_EQ(events[1].step(), 200);
  EXPECT_THAT(Scalars(events[1]), ElementsAre(Pair("train/loss", 0.5), Pair("eval/accuracy", 0)));
  EXPECT_EQ(events[2].step(), 300);
  EXPECT_THAT(Scalars(events[2]), ElementsAre(Pair("train/loss", 0.25)));
  for (const Event& event : events) {
    EXPECT_GE(event.wall_time(), before);
    EXPECT_LE(event.wall_time(), after);
  }
}

TEST_F(TensorboardTest, WorkersHaveTagsOfTheirOwn) {
  const std::vector<Event> events = Written({Record(1, 3, {{"train/loss", 2}})});
  ASSERT_EQ(events.size(), 2);
  EXPECT_THAT(Scalars(events[1]), ElementsAre(Pair("worker_3/train/loss", 2)));
}

TEST_F(TensorboardTest, WorkersCanBeLeftOut) {
  TensorboardSinkConfig config;
  config.set_per_worker(false);
  const std::vector<Event> events =
      Written({Record(1, 3, {{"train/loss", 2}}), Record(1, -1, {{"train/loss", 1}})}, config);
  ASSERT_EQ(events.size(), 2);
  EXPECT_THAT(Scalars(events[1]), ElementsAre(Pair("train/loss", 1)));
}

TEST_F(TensorboardTest, OddNumbers) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Event> events = Written({Record(
      1, -1,
      {{"nan", std::nan("")}, {"infinity", infinity}, {"minus", -infinity}, {"big", 1e300}})});
  ASSERT_EQ(events.size(), 2);
  const auto scalars = Scalars(events[1]);
  ASSERT_EQ(scalars.size(), 4);
  EXPECT_TRUE(std::isnan(scalars[0].second));
  EXPECT_EQ(scalars[1].second, infinity);
  EXPECT_EQ(scalars[2].second, -infinity);
  EXPECT_EQ(scalars[3].second, infinity);  // TensorBoard's scalars are float32
}

// Written by TensorBoard 2.21 (its compat.proto.event_pb2): our messages must have its numbers.
TEST(EventTest, SameBytesAsTensorBoards) {
  Event event;
  event.set_wall_time(1700000001.25);
  event.set_step(200);
  tfevents::Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag("train/loss");
  value->set_simple_value(0.5);
  value = event.mutable_summary()->add_value();
  value->set_tag("eval/accuracy");
  value->set_simple_value(0);
  EXPECT_EQ(
      absl::BytesToHexString(event.SerializeAsString()),
      "0900005040fc54d94110c801"
      "2a290a110a0a747261696e2f6c6f7373150000003f0a140a0d6576616c2f61636375726163791500000000");
}

}  // namespace
}  // namespace starling
