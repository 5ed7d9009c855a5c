#include "comm/recorder.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class HandClock final : public Clock {
 public:
  double NowSeconds() override { return now; }
  void SleepUntil(double seconds) override { now = seconds; }
  double now = 100;
};

class RecorderTest : public testing::Test {
 protected:
  HandClock clock_;
  Recorder recorder_{/*worker=*/1, /*workers=*/4, &clock_};
  std::vector<float> values_ = std::vector<float>(10);
  Buffer buffer_ = AsBuffer(absl::MakeSpan(values_));
};

TEST_F(RecorderTest, AddsUpTheSecondsOfAStepByPhase) {
  recorder_.BeginStep(0);
  clock_.now += 5;  // not in a phase
  recorder_.Enter(Phase::kForward);
  clock_.now += 2;
  recorder_.Enter(Phase::kUpdate);
  clock_.now += 3;
  EXPECT_EQ(recorder_.Enter(Phase::kWait), Phase::kUpdate);
  clock_.now += 4;
  EXPECT_EQ(recorder_.Enter(Phase::kUpdate), Phase::kWait);
  clock_.now += 1;
  recorder_.Enter(Phase::kOutside);
  EXPECT_THAT(recorder_.step_seconds(), ElementsAre(5, 0, 2, 0, 4, 4));
  recorder_.BeginStep(1);
  EXPECT_THAT(recorder_.step_seconds(), ElementsAre(0, 0, 0, 0, 0, 0));
}

TEST_F(RecorderTest, CountsBytesByKindAndDestination) {
  recorder_.Started({{2, {}, buffer_}, {3, {}, buffer_.Slice(0, 3)}}, {}, Traffic::kTraining);
  recorder_.Started({{2, {}, buffer_}}, {}, Traffic::kMeasurement);
  EXPECT_EQ(recorder_.bytes_sent(Traffic::kTraining), 52);
  EXPECT_EQ(recorder_.bytes_sent(Traffic::kMeasurement), 40);
  EXPECT_THAT(recorder_.bytes_by_destination(), ElementsAre(0, 0, 40, 12));
}

TEST_F(RecorderTest, AddsUpTheTimeInWhichSomethingIsUnderWay) {
  const int64_t first = recorder_.Started({{2, {}, buffer_}}, {}, Traffic::kTraining);
  clock_.now += 1;
  const int64_t second = recorder_.Started({{2, {}, buffer_}}, {}, Traffic::kTraining);
  clock_.now += 1;
  recorder_.Ended(first);
  recorder_.Ended(first);
  clock_.now += 1;
  recorder_.Ended(second);
  clock_.now += 1;
  const int64_t measurement = recorder_.Started({{2, {}, buffer_}}, {}, Traffic::kMeasurement);
  clock_.now += 1;
  recorder_.Ended(measurement);
  EXPECT_EQ(recorder_.communication_seconds(), 3);
}

TEST_F(RecorderTest, KeepsTheLatestExchanges) {
  for (int64_t round = 0; round < 300; ++round) {
    const int64_t number =
        recorder_.Started({}, {{2, {1, round, 0, 0}, buffer_}}, Traffic::kTraining);
    EXPECT_EQ(number, round);
    clock_.now += 1;
    if (round % 2 == 0) recorder_.Ended(number);
  }
  recorder_.Ended(0);  // forgotten long ago
  const auto records = recorder_.Records();
  ASSERT_EQ(records.size(), 128u);
  EXPECT_EQ(records.front().key.round, 172);
  EXPECT_EQ(records.front().end_seconds, records.front().begin_seconds + 1);
  EXPECT_EQ(records.back().key.round, 299);
  EXPECT_EQ(records.back().end_seconds, -1);
}

TEST_F(RecorderTest, ReportsWhatTheWorkerDoesAndWaitsFor) {
  EXPECT_THAT(recorder_.Report(5), HasSubstr("worker 1, before step 0: in outside"));
  recorder_.BeginStep(7);
  recorder_.Enter(Phase::kBackward);
  const int64_t done = recorder_.Started({{2, {1, 6, 0, 0}, buffer_}}, {}, Traffic::kTraining);
  clock_.now += 0.25;
  recorder_.Ended(done);
  recorder_.Started({}, {{3, {1, 7, 2, 0}, buffer_}}, Traffic::kTraining);
  recorder_.WaitBegins([] { return std::string("worker 3 to send something"); });
  clock_.now += 61;
  EXPECT_EQ(recorder_.Report(5),
            "worker 1, step 7: waits for worker 3 to send something, since 61.0 s\n"
            "  step 7, stream 1, round 6, bucket 0, part 0 with worker 2, 40 bytes out: took "
            "250.0 ms\n"
            "  step 7, stream 1, round 7, bucket 2, part 0 with worker 3, 0 bytes out: under way "
            "for 61.0 s\n");
  recorder_.WaitEnds();
  EXPECT_THAT(recorder_.Report(1), HasSubstr("worker 1, step 7: in backward, since 61.2 s\n"));
  EXPECT_THAT(recorder_.Report(1), Not(HasSubstr("took")));
}

TEST_F(RecorderTest, HandsTheTimelineOnWhenItIsTakenAway) {
  std::string events;
  recorder_.set_trace([&](std::string more) { events += more; });
  recorder_.BeginStep(3);
  recorder_.Enter(Phase::kForward);
  clock_.now += 1;
  recorder_.Enter(Phase::kOutside);
  const int64_t number = recorder_.Started({{2, {1, 3, 4, 0}, buffer_}}, {}, Traffic::kTraining);
  clock_.now += 1;
  recorder_.Ended(number);
  EXPECT_EQ(events, "");
  recorder_.set_trace(nullptr);
  EXPECT_THAT(events, HasSubstr(R"("ph":"X","pid":1,"tid":0,"ts":100000000.0,"dur":1000000.0,)"
                                R"("name":"forward","args":{"step":3}},)"
                                "\n"));
  EXPECT_THAT(events, HasSubstr(R"({"ph":"e","pid":1,"tid":1,"cat":"exchange","id":0,)"
                                R"("name":"bucket 4","ts":102000000.0},)"
                                "\n"));
}

}  // namespace
}  // namespace starling
