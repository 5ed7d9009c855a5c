#include "experiments/run.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "optim/algorithm_base.h"

namespace starling {
namespace {

using ::google::protobuf::Empty;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Worker 2 fails in step 3, when all others have begun it, and while they wait for it.
class FailsInStep3 final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const Empty&, const Context&) {
    return std::make_unique<FailsInStep3>();
  }
  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.needs_topology = false;
    return facts;
  }
  absl::Status OnStepBegin(const StepInfo& info) override {
    return Sum(/*stream=*/2, info, AsBuffer(absl::MakeSpan(&begun_, 1)));
  }
  absl::Status OnBucketReady(const StepInfo& info, int) override {
    if (info.step == 3 && worker().id == 2) return absl::InternalError("out of cheese");
    return absl::OkStatus();
  }
  absl::Status OnStepEnd(const StepInfo& info) override { return Sum(/*stream=*/1, info, g(0)); }

 private:
  absl::Status Sum(uint16_t stream, const StepInfo& info, Buffer values) {
    std::vector<int> everyone(worker().count);
    std::iota(everyone.begin(), everyone.end(), 0);
    ASSIGN_OR_RETURN(auto work,
                     worker().comm->AllReduceSum(everyone, {stream, info.step, 0, 0}, values, {}));
    return work->Wait();
  }

  double begun_ = 0;
};
STARLING_REGISTER_PLUGIN(Algorithm, FailsInStep3, Empty,
                         PluginFacts{"fails_in_step_3", "for tests"});

enum class When { kCreate, kRecord, kFlush, kNever };

// A sink for which the disk is full.
template <When when>
class FullDisk final : public MetricSink {
 public:
  static absl::StatusOr<std::unique_ptr<MetricSink>> Create(const Empty&, const Context&) {
    RETURN_IF_ERROR(Answer(When::kCreate));
    return std::make_unique<FullDisk>();
  }
  absl::Status Record(const MetricRecord&) override { return Answer(When::kRecord); }
  absl::Status Flush() override { return Answer(When::kFlush); }

 private:
  static absl::Status Answer(When now) {
    return now == when ? absl::UnavailableError("the disk is full") : absl::OkStatus();
  }
};
using FullAtOnce = FullDisk<When::kCreate>;
using FullSoon = FullDisk<When::kRecord>;
using FullLate = FullDisk<When::kFlush>;
using Nowhere = FullDisk<When::kNever>;
STARLING_REGISTER_PLUGIN(MetricSink, FullAtOnce, Empty, PluginFacts{"full_at_once", "for tests"});
STARLING_REGISTER_PLUGIN(MetricSink, FullSoon, Empty, PluginFacts{"full_soon", "for tests"});
STARLING_REGISTER_PLUGIN(MetricSink, FullLate, Empty, PluginFacts{"full_late", "for tests"});
STARLING_REGISTER_PLUGIN(MetricSink, Nowhere, Empty, PluginFacts{"nowhere", "for tests"});

class RunTest : public testing::Test {
 protected:
  // Trains in a directory of this test's own, which then is in directory_.
  absl::StatusOr<RunResult> Run(const std::string& algorithm, const std::string& sink) {
    Experiment config;
    TextLocations locations;
    std::vector<std::string> notes;
    CHECK_OK(ParseText(absl::StrCat(R"(
        workers: 4
        algorithm { name: ")",
                                    algorithm, R"(" }
        model { name: "quadratic" }
        dataset { name: "no_data" }
        metric_sink { name: ")",
                                    sink, R"(" }
        train { local_batch_size: 1 max_steps: 6 log_every_steps: 2 })"),
                       "test", &config, &locations));
    CHECK_OK(ResolveExperiment(locations, &config, &notes));
    auto plan = MakePlan(config, locations);
    CHECK_OK(plan);
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    auto directory = RunDirectory::Create(
        absl::StrCat(testing::TempDir(), "/", name, "-", algorithm, "-", sink));
    CHECK_OK(directory);
    directory_ = *std::move(directory);
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(), std::fclose);
    Progress progress(file.get(), /*live=*/false);
    RunOptions options = options_;
    options.cores = 2;
    options.command_line = {"starling", "train"};
    options.progress = &progress;
    auto backend = MakeBackend(**plan, options.cores);
    CHECK_OK(backend);
    return RunTraining(**plan, backend->get(), directory_.get(), options);
  }

  std::string Contents(const std::string& name) const {
    std::ifstream file(directory_->File(name));
    EXPECT_TRUE(file.good()) << name;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  void ExpectRecordedAsFailed(const std::string& message) const {
    EXPECT_THAT(Contents("STATUS"), StartsWith("failed"));
    const auto summary = nlohmann::json::parse(Contents("summary.json"));
    EXPECT_EQ(summary["status"], "failed");
    EXPECT_THAT(summary["message"].get<std::string>(), HasSubstr(message));
    EXPECT_TRUE(summary["state_digest"].is_null());
  }

  RunOptions options_;
  std::unique_ptr<RunDirectory> directory_;
};

TEST_F(RunTest, EndsWellAndSaysSo) {
  const auto result = Run("allreduce", "nowhere");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, RunStatus::kDone);
  EXPECT_EQ(result->steps, 6);
  EXPECT_THAT(Contents("STATUS"), StartsWith("done"));
  EXPECT_EQ(Contents("command.txt"), "starling train\n");
  Experiment config;
  EXPECT_TRUE(ParseText(Contents("config.textproto"), "config.textproto", &config).ok());
  const auto summary = nlohmann::json::parse(Contents("summary.json"));
  EXPECT_EQ(summary["status"], "done");
  EXPECT_EQ(summary["workers"], 4);
  EXPECT_EQ(summary["worker_loss"].size(), 4u);
  EXPECT_THAT(summary["worker_accuracy"], IsEmpty());
  EXPECT_TRUE(summary["eval_accuracy"].is_null());
  EXPECT_GT(summary["eval_loss"], 0);
  EXPECT_GT(summary["bytes_sent_per_worker"], 0);
}

TEST_F(RunTest, FailureOfOneWorkerEndsTheRunWithItsNameAndStep) {
  const auto result = Run("fails_in_step_3", "nowhere");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(result.status().message(), "worker 2: step 3: out of cheese");
  ExpectRecordedAsFailed("worker 2: step 3: out of cheese");
  const auto summary = nlohmann::json::parse(Contents("summary.json"));
  EXPECT_EQ(summary["steps"], 3);
  EXPECT_TRUE(summary["eval_loss"].is_null());
}

TEST_F(RunTest, MetricsThatCannotBeWrittenFailTheRun) {
  for (const char* sink : {"full_at_once", "full_soon", "full_late"}) {
    const auto result = Run("allreduce", sink);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("the disk is full")) << sink;
    ExpectRecordedAsFailed("the disk is full");
  }
}

TEST_F(RunTest, RecordsWhatRepeatsIt) {
  options_.commit = "0123";
  options_.dirty = true;
  options_.patch = "diff --git ...\n";
  ASSERT_TRUE(Run("allreduce", "nowhere").ok());
  EXPECT_EQ(Contents("source.patch"), options_.patch);
  const auto manifest = nlohmann::json::parse(Contents("manifest.json"));
  EXPECT_EQ(manifest["plugins"]["backend"], std::vector<std::string>{"threads"});
  EXPECT_EQ(manifest["run"]["data_fingerprint"].get<std::string>().size(), 16u);
}

TEST_F(RunTest, APlannedEndWithEverythingThatEndsARun) {
  options_.end = PlannedEnd{4, StopReason::kOutOfTime};
  const auto result = Run("allreduce", "nowhere");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->steps, 4);
  EXPECT_EQ(result->status, RunStatus::kDone);
  EXPECT_TRUE(result->evaluated);
}

TEST_F(RunTest, CanBeStoppedFromOutside) {
  std::vector<bool> watched;
  options_.watch = [&](Monitor* monitor) {
    watched.push_back(monitor != nullptr);
    if (monitor != nullptr) monitor->RequestStop();
  };
  const auto result = Run("allreduce", "nowhere");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(watched, std::vector<bool>({true, false}));
  EXPECT_EQ(result->status, RunStatus::kInterrupted);
  EXPECT_EQ(result->steps, 0);
  EXPECT_FALSE(result->evaluated);
  EXPECT_THAT(Contents("STATUS"), StartsWith("interrupted"));
}

}  // namespace
}  // namespace starling
