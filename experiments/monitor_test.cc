#include "experiments/monitor.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/run/test_files.h"
#include "core/state_tensors.h"
#include "core/status.h"
#include "experiments/digest_trail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class RecordingSink final : public MetricSink {
 public:
  RecordingSink(std::vector<MetricRecord>* records, absl::Status answer)
      : records_(records), answer_(std::move(answer)) {}

  absl::Status Record(const MetricRecord& record) override {
    records_->push_back(record);
    return answer_;
  }
  absl::Status Flush() override { return absl::OkStatus(); }

 private:
  std::vector<MetricRecord>* records_;
  absl::Status answer_;
};

class MonitorTest : public testing::Test {
 protected:
  MonitorTest() : file_(std::tmpfile()), progress_(file_, /*live=*/false) {
    plan_.config.set_workers(2);
    plan_.config.mutable_train()->set_log_every_steps(2);
    plan_.local_batch_size = 3;
    plan_.steps_per_epoch = 4;
    plan_.steps = 100;
  }
  ~MonitorTest() override { std::fclose(file_); }

  std::unique_ptr<Monitor> Make(absl::Status answer = absl::OkStatus(),
                                MonitorOptions options = {}) {
    plan_.eras = *MakeEras(plan_.config, nullptr);
    std::vector<std::unique_ptr<MetricSink>> sinks;
    sinks.push_back(std::make_unique<RecordingSink>(&records_, std::move(answer)));
    return std::make_unique<Monitor>(&plan_, &progress_, std::move(sinks), std::move(options));
  }

  // One whole step of two workers.
  void Step(Monitor* monitor, int64_t step, StepReport first, StepReport second) {
    EXPECT_TRUE(monitor->Enter(0, step));
    EXPECT_TRUE(monitor->Enter(1, step));
    EXPECT_TRUE(monitor->Report(1, step, second).ok());
    EXPECT_TRUE(monitor->Report(0, step, first).ok());
  }

  Plan plan_;
  std::vector<MetricRecord> records_;

 private:
  FILE* file_;
  Progress progress_;
};

StepReport Loss(double loss) {
  StepReport report;
  report.loss = loss;
  return report;
}

double Value(const MetricRecord& record, const std::string& name) {
  for (const auto& [key, value] : record.values) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no " << name;
  return std::nan("");
}

TEST_F(MonitorTest, StepsAreCompleteWithoutThoseWhoAreAway) {
  auto* leave = plan_.config.mutable_faults()->add_leave();
  leave->set_worker(1);
  leave->set_at_step(1);
  leave->set_return_at_step(3);
  const auto monitor = Make();
  StepReport first = Loss(1), second = Loss(3);
  first.bytes_sent = 10;
  second.bytes_sent = 100;
  Step(monitor.get(), 0, first, second);
  EXPECT_TRUE(monitor->Report(0, 1, first).ok());
  EXPECT_EQ(records_.size(), 1u);
  EXPECT_EQ(Value(records_[0], "train/loss"), (2 + 1) / 2.0);
  EXPECT_EQ(Value(records_[0], "train/alive"), (2 + 1) / 2.0);
  EXPECT_EQ(Value(records_[0], "comm/bytes_sent_per_worker"), (10 + 100) / 2.0);
  EXPECT_TRUE(monitor->Report(0, 2, first).ok());
  EXPECT_EQ(monitor->Result().steps, 3);
  EXPECT_TRUE(monitor->Report(0, 3, first).ok());
  EXPECT_EQ(monitor->Result().steps, 3);
  EXPECT_TRUE(monitor->Report(1, 3, second).ok());
  EXPECT_EQ(monitor->Result().steps, 4);
  Evaluation evaluation;
  evaluation.worker_loss = {5};
  EXPECT_TRUE(monitor->ReportEvaluation(3, Split::kValidation, evaluation).ok());
  EXPECT_EQ(records_.back().worker, 0);
}

TEST_F(MonitorTest, AllWorkersStopBeforeTheSameStep) {
  constexpr int kWorkers = 4;
  plan_.config.set_workers(kWorkers);
  plan_.steps = 1000000000;
  const auto monitor = Make();
  std::vector<int64_t> made(kWorkers);
  const auto work = [&](int worker) {
    int64_t step = 0;
    for (; monitor->Enter(worker, step); ++step) {
      if (worker == 2 && step == 0) monitor->RequestStop();
      EXPECT_TRUE(monitor->Report(worker, step, Loss(worker)).ok());
    }
    made[worker] = step;
  };
  std::vector<std::thread> threads;
  for (int worker = 0; worker < kWorkers; ++worker) threads.emplace_back(work, worker);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(made[0], 1);
  EXPECT_EQ(made, std::vector<int64_t>(kWorkers, made[0]));
  const RunResult result = monitor->Result();
  EXPECT_EQ(result.status, RunStatus::kInterrupted);
  EXPECT_EQ(result.steps, made[0]);
  EXPECT_EQ(result.train_loss, 1.5);
  EXPECT_FALSE(monitor->out_of_time());
}

// What metrics go on with is all there is: a monitor that loads it says the same as the first.
TEST_F(MonitorTest, GoesOnWhereAnotherOneWasSettled) {
  plan_.steps_per_epoch = 3;
  const auto report = [](int step, int worker) {
    StepReport report = Loss(0.1 * step + worker);
    report.lr = step;
    report.seconds = 1 + step;
    report.bytes_sent = 10 * (step + 1);
    report.phase_seconds[static_cast<int>(Phase::kForward)] = 0.5 * step;
    return report;
  };
  const auto steps = [&](Monitor* monitor, int begin, int end) {
    for (int step = begin; step < end; ++step) {
      Step(monitor, step, report(step, 0), report(step, 1));
    }
  };
  const auto whole = Make();
  steps(whole.get(), 0, 9);
  EXPECT_TRUE(whole->ReportConsensus(9, 0.25).ok());
  const std::vector<MetricRecord> expected = std::exchange(records_, {});

  const auto first = Make();
  steps(first.get(), 0, 5);
  EXPECT_TRUE(first->ReportConsensus(5, 0.5).ok());
  records_.pop_back();
  ASSERT_TRUE(first->Settle(5).ok());
  TensorSaver saver(/*layout=*/nullptr);
  ASSERT_EQ(first->VisitState(&saver), absl::OkStatus());
  const auto second = Make();
  TensorLoader loader(/*layout=*/nullptr, &saver.tensors());
  ASSERT_EQ(second->VisitState(&loader), absl::OkStatus());
  EXPECT_EQ(loader.CheckAllUsed(), absl::OkStatus());
  EXPECT_EQ(second->Result().consensus_distance, 0.5);
  steps(second.get(), 5, 9);
  EXPECT_TRUE(second->ReportConsensus(9, 0.25).ok());

  ASSERT_EQ(records_.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(records_[i].step, expected[i].step);
    EXPECT_EQ(records_[i].values, expected[i].values);
  }
  const RunResult one = whole->Result(), two = second->Result();
  EXPECT_EQ(two.steps, 9);
  EXPECT_EQ(two.train_loss, one.train_loss);
  EXPECT_EQ(two.bytes_sent, one.bytes_sent);
  EXPECT_EQ(two.time.step_ms_mean, one.time.step_ms_mean);
  EXPECT_EQ(two.time.step_ms_p50, one.time.step_ms_p50);
  EXPECT_EQ(two.time.phase_ms, one.time.phase_ms);
}

TEST_F(MonitorTest, AStepThatAWorkerHasBegunIsMadeByAll) {
  const auto monitor = Make();
  for (int step = 0; step < 3; ++step) EXPECT_TRUE(monitor->Enter(0, step));
  EXPECT_TRUE(monitor->Enter(1, 0));
  monitor->RequestStop();
  EXPECT_TRUE(monitor->Enter(1, 1));
  EXPECT_FALSE(monitor->Enter(0, 3));
  EXPECT_TRUE(monitor->Enter(1, 2));
  EXPECT_FALSE(monitor->Enter(1, 3));
}

TEST_F(MonitorTest, RequestAfterTheLastStepChangesNothing) {
  plan_.steps = 1;
  const auto monitor = Make();
  Step(monitor.get(), 0, Loss(1), Loss(1));
  monitor->RequestStop();
  EXPECT_EQ(monitor->Result().status, RunStatus::kDone);
  EXPECT_EQ(monitor->Result().message, "");
}

TEST_F(MonitorTest, RequestIsNamedInTheResult) {
  const auto monitor = Make();
  monitor->RequestStop();
  EXPECT_FALSE(monitor->Enter(0, 0));
  EXPECT_EQ(monitor->Result().message, "stopped on request after 0 of 100 steps");
}

TEST_F(MonitorTest, LossThatIsNotFiniteEndsTheRunAndNamesWorkerAndStep) {
  for (const double loss : {std::nan(""), -std::numeric_limits<double>::infinity()}) {
    const auto monitor = Make();
    Step(monitor.get(), 0, Loss(1), Loss(1));
    Step(monitor.get(), 1, Loss(1), Loss(loss));
    EXPECT_FALSE(monitor->Enter(0, 2));
    EXPECT_FALSE(monitor->Enter(1, 2));
    const RunResult result = monitor->Result();
    EXPECT_EQ(result.status, RunStatus::kDiverged);
    EXPECT_EQ(result.message, std::string("the loss of worker 1 became ") +
                                  (std::isnan(loss) ? "NaN" : "infinite") +
                                  " in step 1; a smaller learning rate, warm-up or gradient "
                                  "clipping may help");
    EXPECT_EQ(result.steps, 2);
  }
}

TEST_F(MonitorTest, TimeUpIsAnEndAsPlanned) {
  plan_.config.mutable_train()->set_max_seconds(1e-9);
  const auto monitor = Make();
  EXPECT_FALSE(monitor->Enter(1, 0));
  EXPECT_FALSE(monitor->Enter(0, 0));
  EXPECT_TRUE(monitor->out_of_time());
  monitor->RequestStop();  // too late to be the reason
  EXPECT_EQ(monitor->Result().status, RunStatus::kDone);
}

TEST_F(MonitorTest, APlannedEndIsTheOnlyOne) {
  plan_.config.mutable_train()->set_max_seconds(1e-9);
  MonitorOptions options;
  options.end = PlannedEnd{2, StopReason::kRequested};
  const auto monitor = Make(absl::OkStatus(), std::move(options));
  Step(monitor.get(), 0, Loss(1), Loss(std::nan("")));
  Step(monitor.get(), 1, Loss(1), Loss(1));
  EXPECT_FALSE(monitor->Enter(0, 2));
  EXPECT_FALSE(monitor->Enter(1, 2));
  EXPECT_FALSE(monitor->out_of_time());
  EXPECT_EQ(monitor->Result().status, RunStatus::kDiverged);
  EXPECT_EQ(monitor->Result().steps, 2);
}

TEST_F(MonitorTest, DigestsAreRecordedInOrder) {
  const std::string path = NewDirectory() + "/digests.jsonl";
  auto trail = DigestTrailWriter::Open(path, "");
  CHECK_OK(trail);
  MonitorOptions options;
  options.digests = trail->get();
  const auto monitor = Make(absl::OkStatus(), std::move(options));
  StepReport first = Loss(1), second = Loss(2);
  first.digests = {{"parameters/w", 5}};
  second.digests = {{"parameters/w", 6}};
  Step(monitor.get(), 0, first, second);
  Step(monitor.get(), 1, Loss(1), Loss(2));  // none are due
  const auto positions = monitor->Settle(2);
  CHECK_OK(positions);
  EXPECT_EQ(positions->at(kDigestTrailFile), (*trail)->position());
  const auto recorded = ReadDigestTrail(path);
  CHECK_OK(recorded);
  ASSERT_EQ(recorded->steps.size(), 1u);
  EXPECT_EQ(recorded->steps.at(1).at(0).digests, std::vector<uint64_t>{5});
  EXPECT_EQ(recorded->steps.at(1).at(1).digests, std::vector<uint64_t>{6});
}

TEST(StepReportTest, TravelsWhole) {
  StepReport report = Loss(0.25);
  report.lr = 0.5;
  report.seconds = 1.5;
  report.bytes_sent = 7;
  report.phase_seconds[1] = 0.75;
  report.digests = {{"a", 1}, {"b", 0xffffffffffffffff}};
  const StepReport other = Decode(Encode(3, 4, report));
  EXPECT_EQ(other.loss, 0.25);
  EXPECT_EQ(other.lr, 0.5);
  EXPECT_EQ(other.seconds, 1.5);
  EXPECT_EQ(other.bytes_sent, 7);
  EXPECT_EQ(other.phase_seconds, report.phase_seconds);
  EXPECT_EQ(other.digests, report.digests);
}

TEST_F(MonitorTest, TrainingMetricsAverageOverWorkersAndSteps) {
  plan_.steps = 5;
  const auto monitor = Make();
  for (int step = 0; step < 5; ++step) {
    StepReport first = Loss(step), second = Loss(10 + step);
    first.lr = second.lr = 0.5 - 0.1 * step;
    first.seconds = 0.25;
    second.seconds = 0.75;
    first.bytes_sent = 100 * (step + 1);
    second.bytes_sent = 300 * (step + 1);
    Step(monitor.get(), step, first, second);
  }
  EXPECT_TRUE(monitor->Flush().ok());
  ASSERT_EQ(records_.size(), 3u);  // every 2 steps, and at the end
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(records_[i].step, std::vector<int64_t>({2, 4, 5})[i]);
    EXPECT_EQ(records_[i].epoch, std::vector<double>({0.5, 1, 1.25})[i]);
    EXPECT_EQ(records_[i].worker, -1);
    EXPECT_EQ(Value(records_[i], "train/loss"), std::vector<double>({5.5, 7.5, 9})[i]);
    EXPECT_DOUBLE_EQ(Value(records_[i], "train/lr"), std::vector<double>({0.4, 0.2, 0.1})[i]);
    EXPECT_EQ(Value(records_[i], "time/step_ms"), 500);
    EXPECT_EQ(Value(records_[i], "time/samples_per_second"), 12);  // 2 workers * 3 in 0.5 s
    EXPECT_EQ(Value(records_[i], "comm/bytes_sent_per_worker"), 200.0 * records_[i].step);
  }
  const RunResult result = monitor->Result();
  EXPECT_EQ(result.status, RunStatus::kDone);
  EXPECT_EQ(result.steps, 5);
  EXPECT_EQ(result.bytes_sent, 2000);
  EXPECT_EQ(result.train_loss, (6 + 7 + 8 + 9) / 4.0);  // the last epoch, which has 4 steps
}

TEST_F(MonitorTest, WhatAStoppedRunHasNotRecordedYetFlushRecords) {
  const auto monitor = Make();
  for (int step = 0; step < 3; ++step) Step(monitor.get(), step, Loss(step), Loss(step));
  EXPECT_EQ(records_.size(), 1u);
  EXPECT_TRUE(monitor->Flush().ok());
  EXPECT_TRUE(monitor->Flush().ok());
  ASSERT_EQ(records_.size(), 2u);
  EXPECT_EQ(records_[1].step, 3);
  EXPECT_EQ(Value(records_[1], "train/loss"), 2);
}

TEST_F(MonitorTest, StepsCompleteInOrderHoweverFarAWorkerIsAhead) {
  const auto monitor = Make();
  for (int step = 0; step < 4; ++step) {
    EXPECT_TRUE(monitor->Enter(0, step));
    EXPECT_TRUE(monitor->Report(0, step, Loss(step)).ok());
  }
  EXPECT_THAT(records_, IsEmpty());
  EXPECT_EQ(monitor->Result().steps, 0);
  for (int step = 0; step < 3; ++step) {
    EXPECT_TRUE(monitor->Enter(1, step));
    EXPECT_TRUE(monitor->Report(1, step, Loss(step + 2)).ok());
  }
  EXPECT_EQ(monitor->Result().steps, 3);
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(Value(records_[0], "train/loss"), 1.5);
}

TEST_F(MonitorTest, EvaluationsAreRecordedForTheWorldAndEveryWorker) {
  const auto monitor = Make();
  Evaluation evaluation;
  evaluation.loss = 0.5;
  evaluation.accuracy = 0.75;
  evaluation.worker_loss = {1, 2};
  evaluation.worker_accuracy = {0.25, 0.5};
  EXPECT_TRUE(monitor->ReportConsensus(8, 0.125).ok());
  EXPECT_TRUE(monitor->ReportEvaluation(8, Split::kTest, evaluation).ok());
  ASSERT_EQ(records_.size(), 4u);
  EXPECT_THAT(records_[0].values, ElementsAre(Pair("consensus/distance", 0.125)));
  EXPECT_EQ(records_[0].epoch, 2);
  for (int i = 0; i < 3; ++i) {
    const MetricRecord& record = records_[i + 1];
    EXPECT_EQ(record.step, 8);
    EXPECT_EQ(record.worker, i - 1);
    EXPECT_THAT(record.values,
                ElementsAre(Pair("eval/loss", std::vector<double>({0.5, 1, 2})[i]),
                            Pair("eval/accuracy", std::vector<double>({0.75, 0.25, 0.5})[i])));
  }
  EXPECT_EQ(monitor->Result().consensus_distance, 0.125);

  records_.clear();
  evaluation.accuracy.reset();
  evaluation.worker_accuracy.clear();
  EXPECT_TRUE(monitor->ReportEvaluation(9, Split::kValidation, evaluation).ok());
  ASSERT_EQ(records_.size(), 3u);
  EXPECT_THAT(records_[2].values, ElementsAre(Pair("validation/loss", DoubleEq(2))));

  records_.clear();
  evaluation.perplexity = std::exp(0.5);
  EXPECT_TRUE(monitor->ReportEvaluation(10, Split::kTest, evaluation).ok());
  for (int i = 0; i < 3; ++i) {
    const double loss = std::vector<double>({0.5, 1, 2})[i];
    EXPECT_THAT(records_[i].values, ElementsAre(Pair("eval/loss", loss),
                                                Pair("eval/perplexity", DoubleEq(std::exp(loss)))));
  }
}

TEST_F(MonitorTest, ErrorsOfSinksReachTheWorker) {
  const auto monitor = Make(absl::UnavailableError("the disk is full"));
  Step(monitor.get(), 0, Loss(1), Loss(1));
  EXPECT_TRUE(monitor->Report(0, 1, Loss(1)).ok());
  EXPECT_EQ(monitor->Report(1, 1, Loss(1)).message(), "the disk is full");
}

}  // namespace
}  // namespace starling
