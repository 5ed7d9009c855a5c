// What every metric sink must do. A plug-in's own test gets these tests by depending on
// //core/run:metric_sink_conformance; they run for every sink that is linked in.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/metrics.h"
#include "core/run/test_files.h"
#include "glog/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

MetricRecord Record(int64_t step) {
  MetricRecord record;
  record.step = step;
  record.epoch = 0.25 * static_cast<double>(step);
  record.wall_seconds = 1.5 * static_cast<double>(step);
  record.values = {{"train/loss", 2.0 / static_cast<double>(step + 1)}, {"train/lr", 0.001}};
  return record;
}

// Legal, and met in practice or nearly so.
std::vector<MetricRecord> OddRecords() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<MetricRecord> records(1);  // no values at all
  MetricRecord record;
  record.worker = 1023;
  record.step = std::numeric_limits<int64_t>::max();
  record.epoch = 1e300;
  record.values = {{"nan", nan},          {"-nan", -nan}, {"infinity", infinity},
                   {"minus", -infinity},  {"zero", -0.0}, {"large", 1.7976931348623157e308},
                   {"denormal", 4.9e-324}};
  records.push_back(record);
  record.values = {{"comma, quote \" and\nnew line", 1}, {"grad/\xe2\x88\x87\xc2\xb2", 2}, {"", 3}};
  records.push_back(record);
  record.values.clear();
  for (int i = 0; i < 5000; ++i) record.values.emplace_back(absl::StrCat("layer/", i), i);
  records.push_back(record);
  return records;
}

class MetricSinkConformance : public ::testing::TestWithParam<std::string> {
 protected:
  absl::StatusOr<std::unique_ptr<MetricSink>> Open(const std::string& directory,
                                                   const std::string& position = "") {
    PluginRef ref;
    ref.set_name(GetParam());
    return Registry<MetricSink>::Global().Create(ref, {directory, position});
  }

  // The files of `directory`, one after the other.
  std::string Contents(const std::string& directory) {
    std::string contents;
    for (const auto& entry : fs::directory_iterator(directory)) {
      auto file = ReadFile(entry.path().string());
      CHECK(file.ok()) << file.status();
      contents += *file;
    }
    return contents;
  }
};

TEST_P(MetricSinkConformance, TakesOddRecords) {
  const std::string directory = NewDirectory();
  auto sink = Open(directory);
  ASSERT_TRUE(sink.ok()) << sink.status();
  for (const MetricRecord& record : OddRecords()) {
    const absl::Status status = (*sink)->Record(record);
    EXPECT_TRUE(status.ok()) << status;
  }
  const absl::Status status = (*sink)->Flush();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(Contents(directory), HasSubstr("layer/4999"));
}

TEST_P(MetricSinkConformance, FlushesAtAnyTime) {
  auto sink = Open(NewDirectory());
  ASSERT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE((*sink)->Flush().ok());
  EXPECT_TRUE((*sink)->Record(Record(0)).ok());
  EXPECT_TRUE((*sink)->Flush().ok());
  EXPECT_TRUE((*sink)->Flush().ok());
}

TEST_P(MetricSinkConformance, OnlyAddsToItsFile) {
  const std::string directory = NewDirectory();
  auto sink = Open(directory);
  ASSERT_TRUE(sink.ok()) << sink.status();
  std::string before = Contents(directory);
  for (int step = 0; step < 10; ++step) {
    ASSERT_TRUE((*sink)->Record(Record(step)).ok());
    const std::string after = Contents(directory);
    EXPECT_GT(after.size(), before.size());
    EXPECT_THAT(after, StartsWith(before));
    before = after;
  }
  sink->reset();
  EXPECT_EQ(Contents(directory), before);
}

TEST_P(MetricSinkConformance, AKillLosesNothing) {
  const std::string whole = NewDirectory(), killed = NewDirectory();
  {
    auto sink = Open(whole);
    ASSERT_TRUE(sink.ok()) << sink.status();
    for (int step = 0; step < 10; ++step) ASSERT_TRUE((*sink)->Record(Record(step)).ok());
    ASSERT_TRUE((*sink)->Flush().ok());
  }
  const pid_t child = fork();
  if (child == 0) {
    auto sink = Open(killed);
    for (int step = 0; step < 10; ++step) CHECK((*sink)->Record(Record(step)).ok());
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  // Not the same bytes: a sink may write the time of day.
  EXPECT_EQ(Contents(killed).size(), Contents(whole).size());
}

TEST_P(MetricSinkConformance, ContinuesAtAnEarlierPartsPosition) {
  const std::string directory = NewDirectory();
  std::string position, before;
  const auto record = [&](const char* name) {
    auto sink = Open(directory, position);
    ASSERT_TRUE(sink.ok()) << sink.status();
    MetricRecord record = Record(1);
    record.values = {{name, 1}};
    ASSERT_TRUE((*sink)->Record(record).ok());
    position = (*sink)->position();
    before = Contents(directory);
    // After the position: gone when the run continues there.
    record.values = {{"cut/off", 1}};
    ASSERT_TRUE((*sink)->Record(record).ok());
  };
  for (const char* name : {"first/part", "second/part", "third/part"}) {
    record(name);
    EXPECT_EQ(position.find('\n'), std::string::npos);
  }
  ASSERT_TRUE(Open(directory, position).ok());
  EXPECT_EQ(Contents(directory), before);
  EXPECT_THAT(before, HasSubstr("first/part"));
  EXPECT_THAT(before, HasSubstr("second/part"));
  EXPECT_THAT(before, HasSubstr("third/part"));
  EXPECT_THAT(before, Not(HasSubstr("cut/off")));
}

TEST_P(MetricSinkConformance, StartsOverWithoutAPosition) {
  const std::string directory = NewDirectory();
  for (int part = 0; part < 2; ++part) {
    auto sink = Open(directory);
    ASSERT_TRUE(sink.ok()) << sink.status();
    MetricRecord record = Record(1);
    record.values = {{part == 0 ? "first/part" : "second/part", 1}};
    ASSERT_TRUE((*sink)->Record(record).ok());
  }
  EXPECT_THAT(Contents(directory), HasSubstr("second/part"));
  EXPECT_THAT(Contents(directory), Not(HasSubstr("first/part")));
}

TEST_P(MetricSinkConformance, AFullDiskIsReportedAndLeavesNoHalfRecord) {
  const std::string directory = NewDirectory();
  auto sink = Open(directory);
  ASSERT_TRUE(sink.ok()) << sink.status();
  ASSERT_TRUE((*sink)->Record(Record(0)).ok());
  const std::string before = Contents(directory);
  absl::Status status;
  {
    FileSizeLimit limit(before.size() + 5);
    status = (*sink)->Record(Record(1));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory));
  EXPECT_EQ(Contents(directory), before);
  EXPECT_TRUE((*sink)->Record(Record(2)).ok());
  EXPECT_THAT(Contents(directory), StartsWith(before));
}

TEST_P(MetricSinkConformance, AMissingDirectoryIsNamed) {
  const std::string directory = NewDirectory() + "/missing";
  auto sink = Open(directory);
  EXPECT_TRUE(absl::IsNotFound(sink.status())) << sink.status();
  EXPECT_THAT(std::string(sink.status().message()), HasSubstr(directory));
  EXPECT_THAT(std::string(sink.status().message()), HasSubstr("No such file or directory"));
}

INSTANTIATE_TEST_SUITE_P(Linked, MetricSinkConformance,
                         ::testing::ValuesIn(Registry<MetricSink>::Global().Names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace starling
