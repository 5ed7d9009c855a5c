#include "topology/repair.h"

#include <cmath>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/make_topology.h"
#include "topology/verify.h"

namespace starling {
namespace {

using Alive = std::vector<bool>;

Alive AllBut(int workers, const std::vector<int>& away) {
  Alive alive(workers, true);
  for (int rank : away) alive[rank] = false;
  return alive;
}

PeriodicTopology Periodic(std::vector<MixingRound> rounds, TopologyFacts facts) {
  const int workers = rounds[0].workers();
  return PeriodicTopology(workers, std::move(rounds), facts);
}

std::unique_ptr<Topology> Repaired(const Topology& topology, const Alive& alive) {
  auto repaired = RepairTopology(topology, alive);
  EXPECT_TRUE(repaired.ok()) << repaired.status();
  return *std::move(repaired);
}

// Where everybody is connected while all are alive.
std::vector<std::pair<std::string, std::unique_ptr<Topology>>> Registered(int workers) {
  std::vector<std::pair<std::string, std::unique_ptr<Topology>>> topologies;
  for (const std::string& name : Registry<Topology>::Global().Names()) {
    std::string ref = absl::StrCat("name: \"", name, "\"");
    if (name == "from_file") {
      const std::string path = absl::StrCat(testing::TempDir(), "/path", workers, ".txt");
      std::ofstream file(path);
      for (int rank = 1; rank < workers; ++rank) file << rank - 1 << " " << rank << "\n";
      absl::StrAppend(&ref, " config { [type.googleapis.com/starling.FromFileConfig] { path: \"",
                      path, "\" } }");
    }
    auto topology = MakeTopology(ref, workers, workers % 2 == 0 ? 2 : 1);
    if (topology.ok()) topologies.emplace_back(name, *std::move(topology));
  }
  return topologies;
}

// Everyone who may be away in a small world; in larger ones scattered sets.
std::vector<Alive> AliveSets(int workers) {
  std::vector<Alive> sets;
  const uint32_t all = (1u << workers) - 1;
  for (uint32_t i = 1; i <= std::min<uint32_t>(all, 150); ++i) {
    const uint32_t mask = workers <= 7 ? i : (i * 2654435761u >> 7) & all;
    Alive alive;
    for (int rank = 0; rank < workers; ++rank) alive.push_back(mask >> rank & 1);
    if (mask != 0) sets.push_back(alive);
  }
  return sets;
}

// W_AA + W_AD (I - W_DD)^-1 W_DA by elimination with all of D at once, in a dense matrix; empty
// where I - W_DD is singular.
std::vector<double> StochasticComplement(const MixingRound& round, const Alive& alive) {
  const int n = round.workers();
  std::vector<int> away, living;
  for (int rank = 0; rank < n; ++rank) (alive[rank] ? living : away).push_back(rank);
  const std::vector<double> w = DenseWeights(round);
  const size_t d = away.size(), a = living.size();
  // Gauss-Jordan with pivots on [I - W_DD | W_DA].
  std::vector<std::vector<double>> rows(d, std::vector<double>(d + a));
  for (size_t i = 0; i < d; ++i) {
    for (size_t j = 0; j < d; ++j) rows[i][j] = (i == j) - w[away[i] * n + away[j]];
    for (size_t j = 0; j < a; ++j) rows[i][d + j] = w[away[i] * n + living[j]];
  }
  for (size_t k = 0; k < d; ++k) {
    size_t pivot = k;
    for (size_t i = k; i < d; ++i) {
      if (std::abs(rows[i][k]) > std::abs(rows[pivot][k])) pivot = i;
    }
    if (std::abs(rows[pivot][k]) < 1e-9) return {};
    std::swap(rows[k], rows[pivot]);
    for (size_t i = 0; i < d; ++i) {
      if (i == k) continue;
      const double factor = rows[i][k] / rows[k][k];
      for (size_t j = k; j < d + a; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  std::vector<double> complement;
  for (int to : living) {
    for (size_t j = 0; j < a; ++j) {
      double weight = w[to * n + living[j]];
      for (size_t k = 0; k < d; ++k) {
        weight += w[to * n + away[k]] * rows[k][d + j] / rows[k][k];
      }
      complement.push_back(weight);
    }
  }
  return complement;
}

TEST(Repair, KeepsWhatEveryRegisteredTopologyClaims) {
  int compared = 0;
  for (int workers : {2, 3, 4, 6, 7, 8, 12, 16}) {
    for (const auto& [name, topology] : Registered(workers)) {
      for (const Alive& alive : AliveSets(workers)) {
        SCOPED_TRACE(absl::StrCat(name, " of ", workers));
        const auto repaired = Repaired(*topology, alive);
        const std::vector<MixingRound> rounds = PeriodOf(*repaired);
        for (const MixingRound& round : rounds) {
          for (int rank = 0; rank < workers; ++rank) {
            for (const Edge& edge : round.in(rank)) {
              EXPECT_TRUE(edge.to == edge.from || (alive[edge.to] && alive[edge.from]));
            }
          }
        }
        // The whole with those who stand alone, and the living as a world of their own.
        const TopologyFacts facts = repaired->facts();
        EXPECT_EQ(facts.symmetric, topology->facts().symmetric);
        EXPECT_TRUE(facts.rows_sum_to_one && facts.columns_sum_to_one);
        for (const MixingRound& round : rounds) {
          EXPECT_TRUE(RowsSumToOne(round) && ColumnsSumToOne(round));
          EXPECT_TRUE(!facts.symmetric || IsSymmetric(round));
        }
        std::vector<MixingRound> among = AmongLiving(rounds, alive);
        const PeriodicTopology living = Periodic(among, facts);
        EXPECT_EQ(VerifyTopology(living, name, among[0].workers()), absl::OkStatus());
        for (size_t t = 0; t < rounds.size() && t < PeriodOf(*topology).size(); ++t) {
          const MixingRound before = topology->Round(static_cast<int64_t>(t));
          const std::vector<double> expected = StochasticComplement(before, alive);
          const std::vector<double> found = DenseWeights(among[t]);
          for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12);
          compared += !expected.empty();
          if (facts.symmetric && workers <= 8) {
            EXPECT_GE(SmallestEigenvalue(among[t]), SmallestEigenvalue(before) - 1e-12);
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 5000);
}

TEST(Repair, ChangesNothingWhileAllAreAlive) {
  for (const auto& [name, topology] : Registered(8)) {
    const auto repaired = Repaired(*topology, Alive(8, true));
    EXPECT_EQ(repaired->facts().exact_after, topology->facts().exact_after) << name;
    EXPECT_TRUE(PeriodOf(*repaired) == PeriodOf(*topology)) << name;
  }
}

TEST(Repair, ClosesARing) {
  const auto ring = MakeTopology("name: \"ring\"", 5);
  const MixingRound round = Repaired(**ring, AllBut(5, {2}))->Round(0);
  const auto weight = [&](int to, int from) { return DenseWeights(round)[to * 5 + from]; };
  EXPECT_DOUBLE_EQ(weight(1, 3), 1.0 / 6);
  EXPECT_DOUBLE_EQ(weight(3, 1), 1.0 / 6);
  EXPECT_DOUBLE_EQ(weight(1, 1), 1.0 / 2);
  EXPECT_DOUBLE_EQ(weight(1, 0), 1.0 / 3);
  EXPECT_EQ(weight(2, 2), 1);
}

TEST(Repair, SkipsWhoIsAwayOnADirectedPath) {
  TopologyFacts facts;
  facts.columns_sum_to_one = true;
  const auto cycle = Periodic(
      {MixingRound::FromEdges(
          3, {{0, 0, 0.5}, {0, 2, 0.5}, {1, 0, 0.5}, {1, 1, 0.5}, {2, 1, 0.5}, {2, 2, 0.5}})},
      facts);
  EXPECT_EQ(DenseWeights(Repaired(cycle, AllBut(3, {1}))->Round(0)),
            (std::vector<double>{0.5, 0, 0.5, 0, 1, 0, 0.5, 0, 0.5}));
}

TEST(Repair, MakesACliqueOfAStarWithoutItsCentre) {
  const auto star = MakeTopology("name: \"star\"", 5);
  const auto repaired = Repaired(**star, AllBut(5, {0}));
  EXPECT_EQ(repaired->Round(0).out(1).size(), 4u);
  EXPECT_EQ(repaired->facts().period, 1);
}

// Shares of a push-sum topology: what would go to the one away goes on to those it would push to.
TEST(Repair, KeepsColumnsWhereOnlyThoseSumToOne) {
  TopologyFacts facts;
  facts.rows_sum_to_one = false;
  facts.columns_sum_to_one = true;
  const auto push = Periodic({MixingRound::FromEdges(3, {{0, 0, 0.25},
                                                         {1, 0, 0.75},
                                                         {1, 1, 0.5},
                                                         {0, 1, 0.125},
                                                         {2, 1, 0.375},
                                                         {2, 2, 0.5},
                                                         {0, 2, 0.5}})},
                             facts);
  const auto repaired = Repaired(push, AllBut(3, {1}));
  EXPECT_TRUE(ColumnsSumToOne(repaired->Round(0)));
  EXPECT_EQ(DenseWeights(repaired->Round(0)),
            (std::vector<double>{0.25 + 0.75 * 0.25, 0, 0.5, 0, 1, 0, 0.75 * 0.75, 0, 0.5}));
  // Without worker 2 nobody else is told by 1: what 1 would give it, it gives to 0.
  EXPECT_TRUE(ColumnsSumToOne(Repaired(push, AllBut(3, {2}))->Round(0)));
  // One that keeps all it gets would hold it for good: it stays where it is.
  const auto sink =
      Periodic({MixingRound::FromEdges(2, {{0, 0, 0.5}, {1, 0, 0.5}, {1, 1, 1}})}, facts);
  EXPECT_EQ(DenseWeights(Repaired(sink, AllBut(2, {1}))->Round(0)),
            (std::vector<double>{1, 0, 0, 1}));
}

TEST(Repair, LinksPartsThatHaveLostEachOther) {
  TopologyFacts facts;
  facts.symmetric = facts.columns_sum_to_one = true;
  const auto square = Periodic(
      {MixingRound::FromGroups(4, {{0, 1}, {2, 3}}), MixingRound::FromGroups(4, {{0, 2}, {1, 3}})},
      facts);
  const auto one_less = Repaired(square, AllBut(4, {1}));
  EXPECT_EQ(one_less->facts().period, 2);  // 0 and 3 meet at 2
  const auto opposite = Repaired(square, AllBut(4, {1, 2}));
  EXPECT_EQ(opposite->facts().period, 3);
  EXPECT_EQ(opposite->Round(0).group(0), std::vector<int>{0});
  EXPECT_EQ(opposite->Round(2).group(0), (std::vector<int>{0, 3}));
  EXPECT_EQ(opposite->Round(2).group(1), std::vector<int>{1});
}

TEST(Repair, RefusesWhatNeverRepeats) {
  class Endless final : public Topology {
    int size() const override { return 2; }
    TopologyFacts facts() const override {
      TopologyFacts facts;
      facts.period = 0;
      return facts;
    }
    MixingRound Round(int64_t) const override { return MixingRound::FromGroups(2, {{0, 1}}); }
  };
  EXPECT_EQ(RepairTopology(Endless(), AllBut(2, {1})).status(),
            absl::FailedPreconditionError(
                "a topology that never repeats cannot be repaired when workers leave; use one with "
                "a period, e.g. \"exponential\""));
}

TEST(Repair, SaysWhatItCosts) {
  // Eigenvalues of the ring: (1 + 2 cos(2 pi k / 4)) / 3; of what is left 1, 1/3, 0.
  const auto ring = MakeTopology("name: \"ring\"", 4);
  const Alive alive = AllBut(4, {0});
  EXPECT_EQ(RepairCost(**ring, *Repaired(**ring, alive), alive),
            "disagreement shrinks to 0.333 per round, of all to 0.333; up to 2 messages");
  const auto large = MakeTopology("name: \"ring\"", 300);
  EXPECT_EQ(RepairCost(**large, *Repaired(**large, AllBut(300, {7})), AllBut(300, {7})),
            "up to 2 messages");
}

}  // namespace
}  // namespace starling
