#include "experiments/advise.h"

#include <cmath>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cluster/cluster.h"
#include "core/config/resolve.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 16 workers on 4 machines; a model of 100 MB in four buckets that computes 100 ms.
PredictionInput Input(double nic_gbps, double jitter) {
  PredictionInput input;
  input.workers = 16;
  input.config.set_workers(16);
  input.config.set_workers_per_node(4);
  ResolveDefaults(&input.config);
  input.cluster.set_name("made up");
  input.cluster.set_workers_per_node(4);
  input.cluster.set_node_gbps(1000);
  input.cluster.set_nic_gbps(nic_gbps);
  if (jitter > 0) {
    input.cluster.mutable_jitter()->set_distribution(Jitter::NORMAL);
    input.cluster.mutable_jitter()->set_relative(jitter);
  }
  CHECK_OK(CompleteCluster(&input.cluster));
  input.model.set_name("net");
  input.model.set_fixed_ms(100);
  for (int b = 0; b < 4; ++b) input.model.add_bucket()->set_mb(25);
  CHECK_OK(CompleteModelProfile(&input.model));
  return input;
}

std::vector<Advice> AdviceFor(const PredictionInput& input) {
  auto advice = Advise(input, 10000);
  CHECK_OK(advice.status());
  return *std::move(advice);
}

int PlaceOf(const std::vector<Advice>& advice, const std::string& topology) {
  for (size_t i = 0; i < advice.size(); ++i) {
    if (advice[i].topology == topology) return static_cast<int>(i);
  }
  ADD_FAILURE() << "no " << topology;
  return -1;
}

std::string ReasonsFor(const std::vector<Advice>& advice, const std::string& topology) {
  return absl::StrJoin(advice[PlaceOf(advice, topology)].reasons, "; ");
}

TEST(AdviseTest, AllReduceWhereNothingIsWaitedFor) {
  const PredictionInput input = Input(10000, 0);
  const auto advice = AdviceFor(input);
  EXPECT_EQ(advice[0].algorithm, "allreduce");
  EXPECT_EQ(advice[0].steps.high, 10000);
  EXPECT_THAT(ReasonsFor(advice, "none"), HasSubstr("no more steps are needed"));
  EXPECT_THAT(ReasonsFor(advice, "none"), Not(HasSubstr("nan")));
  EXPECT_THAT(AdviceText(input, 10000, advice), HasSubstr("Take All-Reduce: on this cluster"));
}

TEST(AdviseTest, LittleTrafficWhereTheNetworkIsSlow) {
  const PredictionInput input = Input(5, 0);
  const auto advice = AdviceFor(input);
  EXPECT_EQ(advice[0].topology, "alternating_exp_ring");
  // A card of four workers: 4/2 S by one peer, S/2 by AER, and 2 (4-1)/4 S by All-Reduce.
  EXPECT_THAT(ReasonsFor(advice, "alternating_exp_ring"),
              HasSubstr("its card carries 50 MB per step, 33 % of All-Reduce's 150 MB"));
  EXPECT_THAT(ReasonsFor(advice, "one_peer_exp"),
              HasSubstr("its card carries 200 MB per step, 1.3 times All-Reduce's 150 MB"));
  EXPECT_THAT(ReasonsFor(advice, "one_peer_exp"), HasSubstr("the network sets its pace"));
  EXPECT_GT(PlaceOf(advice, "one_peer_exp"), PlaceOf(advice, "none"));
  EXPECT_THAT(AdviceText(input, 10000, advice),
              HasSubstr("Take gossip over alternating_exp_ring. It wins as long as"));
}

TEST(AdviseTest, FewToWaitForWhereComputingTimesVary) {
  const PredictionInput input = Input(400, 0.2);
  const auto advice = AdviceFor(input);
  EXPECT_LT(PlaceOf(advice, "one_peer_exp"), PlaceOf(advice, "none"));
  EXPECT_THAT(ReasonsFor(advice, "one_peer_exp"),
              HasSubstr("holds up 1 at first, with All-Reduce all 15"));
  EXPECT_THAT(ReasonsFor(advice, "one_peer_exp"), HasSubstr("little is waited for"));
  EXPECT_THAT(ReasonsFor(advice, "one_peer_exp"),
              HasSubstr("after 4 steps everyone has a share of everyone: about 2.0 % more steps"));
}

TEST(AdviseTest, MixingTimesMakeSteps) {
  const auto advice = AdviceFor(Input(400, 0.2));
  const Advice& one_peer = advice[PlaceOf(advice, "one_peer_exp")];
  EXPECT_EQ(one_peer.mixing_steps, 4);
  EXPECT_DOUBLE_EQ(one_peer.steps.value, 10200);
  EXPECT_DOUBLE_EQ(one_peer.steps.low, 10000);
  EXPECT_DOUBLE_EQ(one_peer.steps.high, 10800);
  EXPECT_DOUBLE_EQ(one_peer.hours.value, one_peer.step.mean_ms * 10200 / 3.6e6);
  EXPECT_EQ(advice[PlaceOf(advice, "complete")].mixing_steps, 1);
  // Static and connected, so that it only converges: rho of a ring with weights 1/3 is
  // (1 + 2 cos(2 pi / 16)) / 3.
  const double rho = (1 + 2 * std::cos(2 * M_PI / 16)) / 3;
  EXPECT_NEAR(advice[PlaceOf(advice, "ring")].mixing_steps, 1 / (1 - rho * rho), 1e-9);
}

TEST(AdviseTest, TextIsForTerminalsAndJsonForPrograms) {
  const PredictionInput input = Input(5, 0.1);
  const auto advice = AdviceFor(input);
  const std::string text = AdviceText(input, 10000, advice);
  EXPECT_THAT(text, HasSubstr("made up: 16 workers on 4 machines, net of 100 MB\n"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 80) << line;
  const auto json = nlohmann::json::parse(AdviceJson(advice));
  ASSERT_EQ(json.size(), advice.size());
  EXPECT_EQ(json[0]["topology"], advice[0].topology);
  EXPECT_EQ(json[0]["hours"], advice[0].hours.value);
  EXPECT_EQ(json[0]["reasons"][0], advice[0].reasons[0]);
}

TEST(AdviseTest, SaysWhatIsTooLarge) {
  PredictionInput input = Input(5, 0);
  input.workers = 1024;
  EXPECT_EQ(Advise(input, 1).status().message(),
            "1024 workers; advise takes up to 512, predict any number");
}

}  // namespace
}  // namespace starling
