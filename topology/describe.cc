#include "topology/describe.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "topology/analysis.h"
#include "topology/draw.h"
#include "topology/traffic.h"

namespace starling {
namespace {

constexpr int kColumns = 80;
constexpr int kLargestDrawnWorld = 16;
constexpr size_t kShownRounds = 8;

std::string Plural(int64_t count, absl::string_view thing) {
  return absl::StrCat(count, " ", thing, count == 1 ? "" : "s");
}

std::string YesOrNo(bool value) { return value ? "yes" : "no"; }

// "  label   text", the text broken between words and indented.
void AppendField(absl::string_view label, absl::string_view text, std::string* page) {
  constexpr int kIndentation = 22;
  std::string line = absl::StrFormat("  %-*s", kIndentation - 2, label);
  bool fresh = true;
  for (absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!fresh && static_cast<int>(line.size() + 1 + word.size()) > kColumns) {
      absl::StrAppend(page, line, "\n");
      line = std::string(kIndentation, ' ');
      fresh = true;
    }
    absl::StrAppend(&line, fresh ? "" : " ", word);
    fresh = false;
  }
  absl::StrAppend(page, line, "\n");
}

void AppendHead(const Topology& topology, const PluginFacts& facts, int workers_per_node,
                std::string* page) {
  const int n = topology.size();
  const int nodes = (n + workers_per_node - 1) / workers_per_node;
  absl::StrAppend(page, facts.name, ": ", Plural(n, "worker"), " on ", Plural(nodes, "node"));
  if (nodes > 1) {
    absl::StrAppend(page, n % workers_per_node == 0 ? " of " : " of up to ", workers_per_node);
  }
  absl::StrAppend(page, "\n");
  AppendField("what", facts.summary, page);
  if (!facts.source.empty()) AppendField("source", facts.source, page);
  if (!facts.aliases.empty()) AppendField("also called", absl::StrJoin(facts.aliases, ", "), page);
  if (!facts.limits.empty()) AppendField("needs", facts.limits, page);
}

void AppendMixing(const Topology& topology, absl::Span<const MixingRound> rounds,
                  std::string* page) {
  const MixingAnalysis analysis = AnalyzeRounds(rounds);
  const bool endless = topology.facts().period == 0;
  const int64_t length = static_cast<int64_t>(rounds.size());
  absl::StrAppend(page, "\nmixing\n");
  AppendField("period",
              endless ? absl::StrCat("none; what follows is of the first ", length, " rounds")
                      : Plural(length, "round"),
              page);
  AppendField("exact average",
              analysis.exact ? absl::StrCat("after ", Plural(analysis.exact_after, "round")) : "no",
              page);
  AppendField("rho",
              absl::StrFormat("%.6g (second singular value of the period's product)", analysis.rho),
              page);
  AppendField("spectral gap", absl::StrFormat("%.6g (1 - rho)", 1 - analysis.rho), page);
  if (!analysis.exact) {
    // rho^(t / length) = 1/10
    const double tenth = -static_cast<double>(length) * std::log(10.0) / std::log(analysis.rho);
    AppendField("disagreement",
                analysis.components > 1 || !(tenth < 1e15)
                    ? "never vanishes"
                    : absl::StrFormat("falls to a tenth within %.0f rounds", std::ceil(tenth)),
                page);
  }
  AppendField("symmetric", YesOrNo(analysis.symmetric), page);
  AppendField("doubly stochastic",
              analysis.doubly_stochastic()  ? "yes"
              : analysis.rows_sum_to_one    ? "no, only rows sum to one"
              : analysis.columns_sum_to_one ? "no, only columns sum to one"
                                            : "no, neither rows nor columns sum to one",
              page);
  AppendField(
      "connected",
      analysis.components == 1
          ? "yes"
          : absl::StrCat("NO: ", analysis.components,
                         " parts that do not all reach each other; the workers never agree"),
      page);
}

// "1.5 S", and in bytes if the model's size is known.
std::string TrafficText(double models, double model_bytes) {
  std::string text = models == 0 ? "0" : absl::StrFormat("%.4g S", models);
  if (model_bytes > 0 && models > 0) {
    const double bytes = models * model_bytes;
    const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    double shown = bytes;
    for (; shown >= 1024 && unit < 4; shown /= 1024) ++unit;
    absl::StrAppendFormat(&text, " = %.4g %s", shown, units[unit]);
  }
  return text;
}

void AppendTraffic(absl::Span<const MixingRound> rounds, int workers_per_node, double model_bytes,
                   std::string* page) {
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  double most_worker = 0, most_node = 0;
  for (const MixingRound& round : rounds) {
    const MixingTraffic traffic = TrafficOfRound(round, workers_per_node, 1);
    for (double bytes : traffic.worker_bytes) most_worker = std::max(most_worker, bytes);
    for (double bytes : traffic.node_bytes) most_node = std::max(most_node, bytes);
  }
  const MixingTraffic means = MeanTraffic(rounds, workers_per_node, 1);
  absl::StrAppend(page, "\nsent per round, S = bytes of the model\n");
  const auto row = [&](absl::string_view label, double average, double most) {
    absl::StrAppendFormat(page, "  %-20s%-28s%s\n", label, TrafficText(average, model_bytes),
                          TrafficText(most, model_bytes));
  };
  absl::StrAppendFormat(page, "  %-20s%-28s%s\n", "", "mean", "most");
  row("by a worker", mean(means.worker_bytes), most_worker);
  row("by a network card", mean(means.node_bytes), most_node);
}

// One line about a round that is too large to draw.
std::string Summary(const MixingRound& round) {
  if (!round.groups().empty()) {
    std::map<size_t, int64_t> sizes;
    for (const std::vector<int>& group : round.groups()) ++sizes[group.size()];
    std::vector<std::string> parts;
    for (const auto& [size, count] : sizes) {
      parts.push_back(absl::StrCat(Plural(count, "group"), " of ", size));
    }
    return absl::StrJoin(parts, ", ");
  }
  size_t fewest = round.in(0).size(), most = fewest;
  for (int rank = 1; rank < round.workers(); ++rank) {
    fewest = std::min(fewest, round.in(rank).size());
    most = std::max(most, round.in(rank).size());
  }
  // Nearly always with an own weight, which is no reception.
  return fewest == most
             ? absl::StrCat("every worker mixes ", fewest, " models, its own among them")
             : absl::StrCat("workers mix ", fewest, " to ", most, " models, their own among them");
}

void AppendRounds(absl::Span<const MixingRound> rounds, int workers_per_node, std::string* page) {
  constexpr int kIndentation = 11;
  const std::string indentation(kIndentation, ' ');
  const bool drawn = rounds[0].workers() <= kLargestDrawnWorld;
  const auto append = [&](const std::vector<std::string>& lines) {
    for (const std::string& line : lines) absl::StrAppend(page, indentation, line, "\n");
  };
  absl::StrAppend(page, "\nrounds\n");
  for (size_t t = 0; t < std::min(rounds.size(), kShownRounds); ++t) {
    const MixingRound& round = rounds[t];
    absl::StrAppendFormat(page, "  round %d  ", t);
    if (!drawn) {
      absl::StrAppend(page, Summary(round), "\n");
    } else if (round.groups().empty()) {
      absl::StrAppend(page, "row: who receives, column: from whom\n");
      append(DrawMatrix(round));
    } else {
      std::vector<std::string> list = ListGroups(round, kColumns - kIndentation);
      absl::StrAppend(page, list[0], "\n");
      append({list.begin() + 1, list.end()});
      append(DrawGroups(round, workers_per_node));
    }
  }
  if (rounds.size() > kShownRounds) {
    absl::StrAppend(page, "  ... ",
                    Plural(static_cast<int64_t>(rounds.size() - kShownRounds), "more round"),
                    " left out; --json has them all\n");
  }
  if (!drawn) {
    absl::StrAppend(page, "  pictures are for at most ", kLargestDrawnWorld,
                    " workers; --json has every weight\n");
  }
}

}  // namespace

std::string DescribeText(const Topology& topology, const PluginFacts& facts, int workers_per_node,
                         double model_bytes) {
  const std::vector<MixingRound> rounds = PeriodOf(topology);
  std::string page;
  AppendHead(topology, facts, workers_per_node, &page);
  AppendMixing(topology, rounds, &page);
  AppendTraffic(rounds, workers_per_node, model_bytes, &page);
  AppendRounds(rounds, workers_per_node, &page);
  return page;
}

std::string DescribeJson(const Topology& topology, absl::string_view name) {
  const std::vector<MixingRound> rounds = PeriodOf(topology);
  const MixingAnalysis analysis = AnalyzeRounds(rounds);
  nlohmann::ordered_json rounds_json = nlohmann::ordered_json::array();
  for (const MixingRound& round : rounds) {
    nlohmann::ordered_json edges = nlohmann::ordered_json::array();
    for (int rank = 0; rank < round.workers(); ++rank) {
      for (const Edge& edge : round.in(rank)) {
        edges.push_back({{"to", edge.to}, {"from", edge.from}, {"weight", edge.weight}});
      }
    }
    rounds_json.push_back(std::move(edges));
  }
  nlohmann::ordered_json json;
  json["name"] = std::string(name);
  json["workers"] = topology.size();
  json["period"] = topology.facts().period;
  json["rounds"] = std::move(rounds_json);
  json["rho_period"] = analysis.rho;
  json["exact"] = analysis.exact;
  json["symmetric"] = analysis.symmetric;
  json["doubly_stochastic"] = analysis.doubly_stochastic();
  return json.dump() + "\n";
}

}  // namespace starling
