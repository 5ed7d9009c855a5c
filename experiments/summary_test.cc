#include "experiments/summary.h"

#include <cmath>
#include <string>

#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

TEST(SummaryJsonTest, NumbersThatAreNotFiniteAreNull) {
  Experiment config;
  config.set_workers(2);
  RunResult result;
  result.status = RunStatus::kDiverged;
  result.train_loss = std::nan("");
  result.consensus_distance = INFINITY;
  result.bytes_sent = 7;
  result.state_digest = 0x12ab;
  result.test.worker_loss = {1, -INFINITY};
  const auto summary = nlohmann::json::parse(SummaryJson(config, result));
  EXPECT_EQ(summary["status"], "diverged");
  for (const char* name : {"train_loss", "consensus_distance", "eval_loss", "eval_accuracy",
                           "eval_perplexity", "eval_bleu"}) {
    EXPECT_TRUE(summary[name].is_null()) << name;
  }
  EXPECT_EQ(summary["worker_loss"][0], 1);
  EXPECT_TRUE(summary["worker_loss"][1].is_null());
  EXPECT_EQ(summary["bytes_sent_per_worker"], 3.5);
  EXPECT_EQ(summary["state_digest"], "00000000000012ab");
}

TEST(ReadSummaryTest, ComesBackAsFarAsAComparisonNeedsIt) {
  Experiment config;
  config.set_workers(3);
  RunResult result;
  result.status = RunStatus::kDone;
  result.message = "x";
  result.steps = 7;
  result.wall_seconds = 1.25;
  result.train_loss = 0.1;
  result.consensus_distance = 1e-3;
  result.bytes_sent = 1000000007;
  result.evaluated = true;
  result.test.loss = 0.3;
  result.test.accuracy = 0.9;
  result.test.perplexity = 1.5;
  result.test.worker_loss = {1, 2, 3};
  result.test.worker_accuracy = {0.25, 0.5, 0.75};
  result.state_digest = 0xfedcba9876543210;
  const std::string directory = NewDirectory();
  CHECK_OK(WriteFileAtomically(directory + "/summary.json", SummaryJson(config, result)));
  const auto read = ReadSummary(directory);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->status, RunStatus::kDone);
  EXPECT_EQ(read->message, "x");
  EXPECT_EQ(read->steps, 7);
  EXPECT_EQ(read->wall_seconds, 1.25);
  EXPECT_EQ(read->train_loss, 0.1);
  EXPECT_EQ(read->consensus_distance, 1e-3);
  EXPECT_EQ(read->bytes_sent, 1000000007);
  EXPECT_TRUE(read->evaluated);
  EXPECT_EQ(read->test.loss, 0.3);
  EXPECT_THAT(read->test.accuracy, Optional(0.9));
  EXPECT_THAT(read->test.perplexity, Optional(1.5));
  EXPECT_FALSE(read->test.bleu.has_value());
  EXPECT_THAT(read->test.worker_loss, ElementsAre(1, 2, 3));
  EXPECT_THAT(read->test.worker_accuracy, ElementsAre(0.25, 0.5, 0.75));
  EXPECT_EQ(read->state_digest, 0xfedcba9876543210);
}

TEST(ReadSummaryTest, NamesWhatIsNoSummary) {
  const std::string directory = NewDirectory();
  EXPECT_TRUE(absl::IsNotFound(ReadSummary(directory).status()));
  for (const char* text : {"", "{}", "[]", "{\"status\": 3}"}) {
    CHECK_OK(WriteFileAtomically(directory + "/summary.json", text));
    const auto read = ReadSummary(directory);
    EXPECT_TRUE(absl::IsDataLoss(read.status())) << read.status();
    EXPECT_THAT(std::string(read.status().message()),
                HasSubstr("/summary.json is no summary of a run: "));
  }
}

}  // namespace
}  // namespace starling
