#include "topology/verify.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TopologyFacts Facts(bool symmetric, bool rows, bool columns) {
  TopologyFacts facts;
  facts.symmetric = symmetric;
  facts.rows_sum_to_one = rows;
  facts.columns_sum_to_one = columns;
  return facts;
}

const TopologyFacts kNothing = Facts(false, false, false);
const TopologyFacts kEverything = Facts(true, true, true);

// Exactly what it is given, true or not.
class Claiming final : public Topology {
 public:
  Claiming(int size, std::vector<MixingRound> rounds, TopologyFacts facts, int64_t period)
      : size_(size), rounds_(std::move(rounds)), facts_(facts) {
    facts_.period = period;
  }
  int size() const override { return size_; }
  TopologyFacts facts() const override { return facts_; }
  MixingRound Round(int64_t round) const override { return rounds_[round % rounds_.size()]; }

 private:
  int size_;
  std::vector<MixingRound> rounds_;
  TopologyFacts facts_;
};

std::string Problem(const Topology& topology, int workers) {
  const absl::Status status = VerifyTopology(topology, "mine", workers);
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

// One round that repeats, for as many workers as it has.
std::string Problem(const MixingRound& round, TopologyFacts facts) {
  return Problem(PeriodicTopology(round.workers(), {round}, facts), round.workers());
}

std::string Problem(std::vector<MixingRound> rounds, TopologyFacts facts = kNothing) {
  const int workers = rounds[0].workers();
  return Problem(PeriodicTopology(workers, std::move(rounds), facts), workers);
}

TEST(VerifyTopology, TrueClaimsHold) {
  EXPECT_EQ(Problem(MixingRound::FromGroups(1, {{0}}), kEverything), "");
  EXPECT_EQ(Problem(MixingRound::FromGroups(4, {{0, 1, 2, 3}}), kEverything), "");
  const MixingRound cycle = MixingRound::FromEdges(
      3, {{0, 0, 0.5}, {1, 1, 0.5}, {2, 2, 0.5}, {1, 0, 0.5}, {2, 1, 0.5}, {0, 2, 0.5}});
  EXPECT_EQ(Problem(cycle, Facts(false, true, true)), "");
  EXPECT_EQ(Problem(cycle, kNothing), "");  // more than is claimed
  // Each round alone leaves somebody out.
  EXPECT_EQ(Problem({MixingRound::FromGroups(3, {{0, 1}, {2}}),
                     MixingRound::FromGroups(3, {{0}, {1, 2}})},
                    kEverything),
            "");
}

TEST(VerifyTopology, RoundingIsNoViolationButMoreIs) {
  const auto pair = [](double weight) {
    return MixingRound::FromEdges(2, {{0, 0, 0.5}, {0, 1, 0.5}, {1, 0, weight}, {1, 1, 0.5}});
  };
  EXPECT_EQ(Problem(pair(0.5 + 5e-13), kEverything), "");
  EXPECT_EQ(Problem(pair(0.5 + 2e-12), Facts(false, true, false)),
            "topology \"mine\": it claims that rows sum to one, but in round 0 the weights of what "
            "reaches worker 1 sum to 1.000000000002");
}

TEST(VerifyTopology, FalseClaimsAreNamedWithRoundAndWorker) {
  const MixingRound good = MixingRound::FromGroups(2, {{0, 1}});
  const MixingRound wrong =
      MixingRound::FromEdges(2, {{0, 0, 0.5}, {0, 1, 0.5}, {1, 0, 0.25}, {1, 1, 0.5}});
  EXPECT_EQ(Problem({good, wrong}, Facts(false, true, false)),
            "topology \"mine\": it claims that rows sum to one, but in round 1 the weights of what "
            "reaches worker 1 sum to 0.75");
  EXPECT_EQ(Problem({good, wrong}, Facts(false, false, true)),
            "topology \"mine\": it claims that columns sum to one, but in round 1 the weights of "
            "what comes from worker 0 sum to 0.75");
  EXPECT_EQ(
      Problem({good, wrong}, Facts(true, false, false)),
      "topology \"mine\": it claims that weights are symmetric, but in round 1 worker 0 takes "
      "0.5 of worker 1, which takes 0.25 of it");
  // An edge whose other direction does not exist.
  const MixingRound one_way =
      MixingRound::FromEdges(3, {{0, 0, 1}, {1, 0, 0.5}, {1, 1, 0.5}, {2, 1, 0.5}, {2, 2, 0.5}});
  EXPECT_EQ(
      Problem(one_way, Facts(true, true, false)),
      "topology \"mine\": it claims that weights are symmetric, but in round 0 worker 1 takes "
      "0.5 of worker 0, which takes 0 of it");
}

TEST(VerifyTopology, ThePeriodIsWhatItSays) {
  const MixingRound a = MixingRound::FromGroups(2, {{0, 1}});
  const MixingRound b = MixingRound::FromGroups(2, {{0}, {1}});
  EXPECT_EQ(Problem(Claiming(2, {a, b}, kEverything, /*period=*/2), 2), "");
  EXPECT_EQ(Problem(Claiming(2, {a, b, b}, kEverything, /*period=*/2), 2),
            "topology \"mine\": it claims to repeat after 2 rounds, but round 2 is not round 0");
  EXPECT_EQ(Problem(Claiming(2, {a, b, b}, kEverything, /*period=*/0), 2), "");
}

TEST(VerifyTopology, TheWorldIsTheTopologys) {
  const MixingRound two = MixingRound::FromGroups(2, {{0, 1}});
  const MixingRound three = MixingRound::FromGroups(3, {{0, 1, 2}});
  EXPECT_EQ(Problem(Claiming(2, {two}, kEverything, 1), 3),
            "topology \"mine\": it is made for 2 workers, not for the 3 of this world");
  EXPECT_EQ(Problem(Claiming(2, {two, three}, kEverything, 2), 2),
            "topology \"mine\": round 1 is made for 3 workers, not for the 2 of this world");
}

TEST(VerifyTopology, GroupsThatNeverExchangeAreNamed) {
  EXPECT_EQ(Problem({MixingRound::FromGroups(5, {{0, 2}, {1, 3, 4}})}, kEverything),
            "topology \"mine\": workers 0, 2 and workers 1, 3-4 exchange nothing in its round, so "
            "they never agree");
  EXPECT_EQ(Problem({MixingRound::FromGroups(4, {{0, 1, 2}, {3}}),
                     MixingRound::FromGroups(4, {{0, 2}, {1}, {3}})}),
            "topology \"mine\": workers 0-2 and worker 3 exchange nothing in its 2 rounds, so they "
            "never agree");
  EXPECT_EQ(
      Problem(Claiming(2, {MixingRound::FromGroups(2, {{0}, {1}})}, kEverything, /*period=*/0), 2),
      "topology \"mine\": worker 0 and worker 1 exchange nothing in its first 16 rounds, so they "
      "never agree");
  const MixingRound scattered = MixingRound::FromGroups(
      24,
      {{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22}, {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}});
  EXPECT_EQ(Problem({scattered}),
            "topology \"mine\": workers 0, 2, 4, 6, 8, 10, 12, 14, ... (12 in all) and workers 1, "
            "3, 5, 7, 9, 11, 13, 15, ... (12 in all) exchange nothing in its round, so they never "
            "agree");
}

TEST(VerifyTopology, OneWayStreetsAreNamedInTheirDirection) {
  // 0 <-> 1 -> 2: nothing comes back from 2.
  EXPECT_EQ(Problem({MixingRound::FromEdges(
                3, {{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}, {2, 1, 1}, {2, 2, 1}})}),
            "topology \"mine\": nothing gets from worker 2 to workers 0-1 in its round, so they "
            "never agree");
  // 2 -> 1 <-> 0: nothing gets to 2.
  EXPECT_EQ(Problem({MixingRound::FromEdges(
                3, {{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}, {1, 2, 1}, {2, 2, 1}})}),
            "topology \"mine\": nothing gets from workers 0-1 to worker 2 in its round, so they "
            "never agree");
}

}  // namespace
}  // namespace starling
