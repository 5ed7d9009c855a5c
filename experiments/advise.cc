#include "experiments/advise.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/cluster.h"
#include "core/status.h"
#include "experiments/columns.h"
#include "glog/logging.h"
#include "nlohmann/json.hpp"
#include "topology/analysis.h"
#include "topology/traffic.h"

namespace starling {
namespace {

// Extra steps per step of mixing time, as a share of all: likely, at most. At least: none.
constexpr double kPenalty = 0.005, kMostPenalty = 0.02;

// Beyond this many workers the analysis of rounds takes minutes.
constexpr int kMostAnalyzed = 512;

// Steps until differences have died out; infinity if they never do.
double MixingSteps(const Topology& topology) {
  const TopologyFacts facts = topology.facts();
  if (facts.exact_after > 0) return static_cast<double>(facts.exact_after);
  const std::vector<MixingRound> rounds = PeriodOf(topology);
  const double rho = AnalyzeRounds(rounds).rho;
  if (rho > 1 - 1e-9) return HUGE_VAL;
  return static_cast<double>(rounds.size()) / (1 - rho * rho);
}

// What a group's sum sends through the card of each machine that it spans, over its bytes.
double RingVolume(size_t members) {
  return 2.0 * (static_cast<double>(members) - 1) / static_cast<double>(members);
}

// MB that a card sends per step, mean over machines and rounds.
double CardMb(const ClusterSpec& cluster, const std::vector<MixingRound>& rounds, double mb) {
  const int per_node = cluster.workers_per_node();
  double sum = 0;
  int cards = 0;
  for (const MixingRound& round : rounds) {
    std::vector<double> card = TrafficOfRound(round, per_node, mb).node_bytes;
    if (cluster.collective() == ClusterSpec::RING && !round.groups().empty()) {
      std::fill(card.begin(), card.end(), 0);
      for (const std::vector<int>& group : round.groups()) {
        if (group.front() / per_node == group.back() / per_node) continue;
        int last = -1;  // ranks are sorted
        for (const int worker : group) {
          if (worker / per_node == last) continue;
          last = worker / per_node;
          card[last] += RingVolume(group.size()) * mb;
        }
      }
    }
    for (const double bytes : card) sum += bytes;
    cards += static_cast<int>(card.size());
  }
  return sum / cards;
}

// All workers in one group.
MixingRound Everyone(int workers) {
  std::vector<int> all;
  for (int i = 0; i < workers; ++i) all.push_back(i);
  return MixingRound::FromGroups(workers, {all});
}

// The most workers that one waits for in a round, besides itself.
size_t MostAwaited(const std::vector<MixingRound>& rounds) {
  size_t most = 0;
  for (const MixingRound& round : rounds) {
    for (int i = 0; i < round.workers(); ++i) {
      most = std::max(most, std::max(round.group(i).size(), round.in(i).size()) - 1);
    }
  }
  return most;
}

std::string CardReason(double card_mb, double all_reduce_mb) {
  const double share = card_mb / all_reduce_mb;
  std::string compared;
  if (std::abs(share - 0.5) < 0.05) {
    compared = "half of";
  } else if (share < 0.95) {
    compared = absl::StrFormat("%.0f %% of", 100 * share);
  } else if (share <= 1.05) {
    compared = "as much as";
  } else {
    compared = absl::StrFormat("%.1f times", share);
  }
  return absl::StrFormat("its card carries %.0f MB per step, %s All-Reduce's %.0f MB", card_mb,
                         compared, all_reduce_mb);
}

std::string PaceReason(const StepPrediction& step, const StepPrediction& all_reduce) {
  if (step.regime == Regime::kCommunicationBound) {
    const bool always = step.communication_ms >= step.compute_ms;
    return absl::StrFormat(
        "the network sets its pace%s: transfers take %.1f ms per step, computing %.1f ms",
        always ? "" : " in some rounds", step.communication_ms, step.compute_ms);
  }
  if (step.exposed_ms < all_reduce.exposed_ms - 0.1) {
    return absl::StrFormat(
        "its exchange may last a whole step, and little is waited for: %.1f ms per step, with "
        "All-Reduce %.1f ms",
        std::max(0.0, step.exposed_ms), all_reduce.exposed_ms);
  }
  return absl::StrFormat("it waits as long as All-Reduce: %.1f ms per step",
                         std::max(0.0, step.exposed_ms));
}

std::string MixingReason(double mixing_steps, bool exact) {
  if (mixing_steps == 0) return "its workers never differ: no more steps are needed";
  return absl::StrFormat(
      exact ? "after %.0f step%s everyone has a share of everyone: about %.1f %% "
              "more steps are needed"
            : "differences last about %.0f step%s: about %.1f %% more steps are "
              "needed",
      mixing_steps, std::round(mixing_steps) == 1 ? "" : "s", 100 * kPenalty * mixing_steps);
}

Estimate StepsFor(double all_reduce_steps, double mixing_steps) {
  return {all_reduce_steps * (1 + kPenalty * mixing_steps), all_reduce_steps,
          all_reduce_steps * (1 + kMostPenalty * mixing_steps)};
}

std::string Hours(double hours) {
  return absl::StrFormat(hours < 10 ? "%.2f" : hours < 1000 ? "%.1f" : "%.0f", hours);
}

const Advice& AllReduceOf(const std::vector<Advice>& advice) {
  const auto found = std::find_if(advice.begin(), advice.end(),
                                  [](const Advice& a) { return a.algorithm == "allreduce"; });
  CHECK(found != advice.end()) << "the plug-in \"allreduce\" is not linked";
  return *found;
}

// Whom to take, and how sure that is.
std::string Verdict(const std::vector<Advice>& advice) {
  const Advice& best = advice.front();
  const Advice& all_reduce = AllReduceOf(advice);
  if (&best == &all_reduce) {
    return "All-Reduce: on this cluster, nothing is gained by exchanging less.";
  }
  const double more = 100 * (all_reduce.step.mean_ms / best.step.mean_ms - 1);
  std::string text = absl::StrFormat(
      "gossip over %s. It wins as long as it needs less than %.0f %% "
      "more steps than All-Reduce",
      best.topology, more);
  if (best.hours.high < all_reduce.hours.low) return text + ", which it will.";
  return text + "; the ranges of both overlap, so try both.";
}

}  // namespace

absl::StatusOr<std::vector<Advice>> Advise(const PredictionInput& input, double all_reduce_steps) {
  if (input.workers > kMostAnalyzed) {
    return absl::InvalidArgumentError(absl::StrCat(input.workers, " workers; advise takes up to ",
                                                   kMostAnalyzed, ", predict any number"));
  }
  std::vector<Candidate> candidates;
  for (const Candidate& candidate : AllCandidates(input).legal) {
    if (candidate.algorithm == "allreduce" || candidate.algorithm == "gossip") {
      candidates.push_back(candidate);
    }
  }
  ASSIGN_OR_RETURN(const PredictionTable table,
                   PredictAll(input, candidates, OptionsFor(input.workers, input.config.seed())));
  const double mb = ModelMb(input.model) * BytesFactor(input.config);
  const double all_reduce_mb = CardMb(input.cluster, {Everyone(input.workers)}, mb);
  std::vector<Advice> advice;
  for (const PredictedRow& row : table.rows) {
    const auto candidate =
        std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& c) {
          return c.algorithm == row.algorithm && c.topology == row.topology;
        });
    CHECK(candidate != candidates.end());
    Advice a;
    a.topology = row.topology;
    a.algorithm = row.algorithm;
    a.step = row.step;
    a.card_mb = all_reduce_mb;
    if (candidate->made == nullptr) {
      a.reasons.push_back(absl::StrFormat("%.1f ms of each step are waited for",
                                          std::max(0.0, row.step.exposed_ms)));
      a.reasons.push_back(MixingReason(a.mixing_steps, true));
    } else {
      const Topology& topology = *candidate->made;
      const std::vector<MixingRound> rounds = PeriodOf(topology);
      a.mixing_steps = MixingSteps(topology);
      if (std::isinf(a.mixing_steps)) continue;
      a.card_mb = CardMb(input.cluster, rounds, mb);
      if (all_reduce_mb > 0) a.reasons.push_back(CardReason(a.card_mb, all_reduce_mb));
      a.reasons.push_back(PaceReason(row.step, table.all_reduce));
      const size_t awaited = MostAwaited(rounds);
      if (input.cluster.jitter().relative() > 0 &&
          awaited + 1 < static_cast<size_t>(input.workers)) {
        a.reasons.push_back(absl::StrCat("a worker that computes longer holds up ", awaited,
                                         " at first, with All-Reduce all ", input.workers - 1));
      }
      a.reasons.push_back(MixingReason(a.mixing_steps, topology.facts().exact_after > 0));
    }
    a.steps = StepsFor(all_reduce_steps, a.mixing_steps);
    a.hours = {a.step.mean_ms * a.steps.value / 3.6e6, a.step.low_ms * a.steps.low / 3.6e6,
               a.step.high_ms * a.steps.high / 3.6e6};
    advice.push_back(std::move(a));
  }
  std::stable_sort(advice.begin(), advice.end(),
                   [](const Advice& a, const Advice& b) { return a.hours.value < b.hours.value; });
  return advice;
}

std::string AdviceText(const PredictionInput& input, double all_reduce_steps,
                       const std::vector<Advice>& advice) {
  const int per_node = input.cluster.workers_per_node();
  const int nodes = (input.workers + per_node - 1) / per_node;
  std::string text = absl::StrFormat(
      "%s: %d workers on %d machine%s, %s of %.4g MB\n", input.cluster.name(), input.workers, nodes,
      nodes == 1 ? "" : "s", input.model.name(), ModelMb(input.model));
  for (const std::string& note : input.notes) absl::StrAppend(&text, RowText("note", note, 8));
  absl::StrAppend(
      &text, "\n",
      absl::StrFormat("%-24s%9s%10s%10s   %s\n", "", "step ms", "steps", "hours", "between"));
  for (const Advice& a : advice) {
    absl::StrAppendFormat(&text, "%-24s%9.1f%10.0f%10s   %s-%s\n",
                          a.algorithm == "allreduce" ? "All-Reduce" : a.topology, a.step.mean_ms,
                          a.steps.value, Hours(a.hours.value), Hours(a.hours.low),
                          Hours(a.hours.high));
    for (const std::string& reason : a.reasons) absl::StrAppend(&text, RowText("", reason, 4));
  }
  absl::StrAppend(
      &text, "\n", RowText("Take", Verdict(advice), 7), "\n",
      RowText("steps",
              absl::StrFormat("to a target that All-Reduce reaches in %.0f: as many, and %.1f %% "
                              "more (between 0 and %.0f %%) for each step of mixing time but the "
                              "first. That is a guess, which published runs do not contradict; the "
                              "range holds it and the doubt about step times.",
                              all_reduce_steps, 100 * kPenalty, 100 * kMostPenalty),
              7));
  return text;
}

std::string AdviceJson(const std::vector<Advice>& advice) {
  auto rows = nlohmann::ordered_json::array();
  for (const Advice& a : advice) {
    rows.push_back({{"topology", a.topology},
                    {"algorithm", a.algorithm},
                    {"step_ms", a.step.mean_ms},
                    {"mixing_steps", a.mixing_steps},
                    {"card_mb", a.card_mb},
                    {"steps", a.steps.value},
                    {"steps_low", a.steps.low},
                    {"steps_high", a.steps.high},
                    {"hours", a.hours.value},
                    {"hours_low", a.hours.low},
                    {"hours_high", a.hours.high},
                    {"reasons", a.reasons}});
  }
  return rows.dump(1) + "\n";
}

}  // namespace starling
