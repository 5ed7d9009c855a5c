#include "cluster/step_measurements.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/config/nearest.h"
#include "core/config/plugin_ref.pb.h"
#include "core/registry.h"
#include "core/status.h"

namespace starling {
namespace {

// Each worker keeps half and pushes half to the worker 2^(t mod ceil(log2 n)) places ahead.
std::unique_ptr<Topology> DirectedOnePeerExponential(int n) {
  std::vector<MixingRound> rounds;
  for (int distance = 1; distance < n; distance *= 2) {
    std::vector<Edge> edges;
    for (int i = 0; i < n; ++i) {
      edges.push_back({i, i, 0.5});
      edges.push_back({(i + distance) % n, i, 0.5});
    }
    rounds.push_back(MixingRound::FromEdges(n, std::move(edges)));
  }
  if (rounds.empty()) rounds.push_back(MixingRound::FromEdges(1, {{0, 0, 1.0}}));
  TopologyFacts facts;
  facts.period = static_cast<int64_t>(rounds.size());
  facts.columns_sum_to_one = true;
  return std::make_unique<PeriodicTopology>(n, std::move(rounds), facts);
}

struct GossipMethod {
  const char* method;
  const char* topology;
};
constexpr GossipMethod kGossip[] = {
    {"exp", "one_peer_exp"}, {"aer", "alternating_exp_ring"}, {"complete", "complete"}};

constexpr const char* kColumns[] = {"cluster", "gpus", "workers_per_node", "method", "ms"};

absl::Status SetColumn(absl::string_view column, absl::string_view value, StepMeasurement* row) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(column, " is \"", value, "\"; ", what));
  };
  if (column == "cluster") {
    row->cluster = std::string(value);
    if (value.empty()) return wrong("each row names its cluster");
  } else if (column == "method") {
    row->method = std::string(value);
  } else if (column == "ms") {
    if (!absl::SimpleAtod(value, &row->ms) || !(row->ms > 0) || std::isinf(row->ms)) {
      return wrong("a step takes some milliseconds");
    }
  } else {
    int* number = column == "gpus" ? &row->gpus : &row->workers_per_node;
    if (!absl::SimpleAtoi(value, number) || *number < 1 || *number > 100000) {
      return wrong("it must be a number from 1");
    }
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& MethodNames() {
  static const auto* names =
      new std::vector<std::string>{"allreduce", "exp", "aer", "complete", "sgp"};
  return *names;
}

absl::StatusOr<Method> MakeMethod(absl::string_view name, int workers, int workers_per_node) {
  Method method;
  if (name == "allreduce") {
    method.plan = AllReducePlan();
    return method;
  }
  if (name == "sgp") {
    method.plan.launch = ExchangePlan::Launch::kStepEnd;
    method.plan.needed = ExchangePlan::Needed::kStepEnd;
    method.topology = DirectedOnePeerExponential(workers);
    return method;
  }
  for (const GossipMethod& gossip : kGossip) {
    if (gossip.method != name) continue;
    PluginRef ref;
    ref.set_name(gossip.topology);
    Topology::Context context;
    context.workers = workers;
    context.workers_per_node = workers_per_node;
    method.plan = OverlappedGossipPlan();
    ASSIGN_OR_RETURN(method.topology, Registry<Topology>::Global().Create(ref, context));
    return method;
  }
  return absl::InvalidArgumentError(absl::StrCat("method is \"", name, "\"",
                                                 DidYouMean(name, MethodNames()),
                                                 " methods: ", absl::StrJoin(MethodNames(), ", ")));
}

absl::StatusOr<std::vector<StepMeasurement>> ParseMeasurements(absl::string_view text,
                                                               absl::string_view file) {
  std::vector<StepMeasurement> rows;
  std::vector<std::string> header;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    const auto error = [&](absl::string_view message) {
      return absl::InvalidArgumentError(absl::StrCat(file, ":", number, ": ", message));
    };
    std::vector<std::string> cells = absl::StrSplit(line, ',');
    for (std::string& cell : cells) cell = std::string(absl::StripAsciiWhitespace(cell));
    if (header.empty()) {
      header = cells;
      for (const char* column : kColumns) {
        if (std::count(header.begin(), header.end(), column) == 1) continue;
        return error(absl::StrCat("the first line names the columns, \"", column,
                                  "\" once: ", absl::StrJoin(kColumns, ",")));
      }
      continue;
    }
    if (cells.size() != header.size()) {
      return error(absl::StrCat(cells.size(), " cells, but the header has ", header.size()));
    }
    StepMeasurement row;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (std::count(std::begin(kColumns), std::end(kColumns), header[i]) == 0) continue;
      const absl::Status set = SetColumn(header[i], cells[i], &row);
      if (!set.ok()) return error(set.message());
    }
    const auto method = MakeMethod(row.method, row.gpus, row.workers_per_node);
    if (!method.ok()) return error(method.status().message());
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file, ": no measurements; a line for each, below ", absl::StrJoin(kColumns, ",")));
  }
  return rows;
}

absl::StatusOr<bool> Matches(const StepMeasurement& row, absl::string_view terms) {
  const std::map<std::string, std::string> columns = {
      {"cluster", row.cluster},
      {"gpus", absl::StrCat(row.gpus)},
      {"workers_per_node", absl::StrCat(row.workers_per_node)},
      {"method", row.method}};
  bool all = true;
  for (absl::string_view term : absl::StrSplit(terms, ',')) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(term, absl::MaxSplits(':', 1));
    const auto column = columns.find(parts.first);
    if (column == columns.end() || parts.second.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", term,
                       "\" describes no rows; say COLUMN:VALUE, with a column of "
                       "cluster, gpus, workers_per_node, method: gpus:64"));
    }
    all &= column->second == parts.second;
  }
  return all;
}

}  // namespace starling
