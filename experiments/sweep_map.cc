#include "experiments/sweep_map.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/config/nearest.h"
#include "core/status.h"

namespace starling {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int kMostPoints = 2000;
constexpr double kTie = 1e-3;  // relative

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

std::vector<std::string> AxisNames() {
  std::vector<std::string> names = {"nodes", "workers_per_node", "jitter", "compute_ms",
                                    "model_mb"};
  const auto& figures = *ClusterSpec::descriptor();
  for (int i = 0; i < figures.field_count(); ++i) {
    const FieldDescriptor& field = *figures.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) names.push_back(field.name());
  }
  return names;
}

bool IsCount(const std::string& name) { return name == "nodes" || name == "workers_per_node"; }

double ThreeDigits(double value) {
  if (value == 0) return 0;
  const double scale = std::pow(10, 2 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

std::vector<double> Spaced(const std::string& name, double from, double to, int points) {
  std::vector<double> values;
  if (IsCount(name) && points == 0) {
    for (double value = from; value <= to; value *= 2) values.push_back(value);
    return values;
  }
  const bool even = name == "jitter" || from <= 0;
  if (points == 0) points = even ? 4 : 7;
  for (int k = 0; k < points; ++k) {
    const double share = points == 1 ? 0 : static_cast<double>(k) / (points - 1);
    const double value = even ? from + share * (to - from) : from * std::pow(to / from, share);
    values.push_back(IsCount(name) ? std::round(value) : ThreeDigits(value));
  }
  return values;
}

absl::StatusOr<SweepAxis> ParseAxis(const std::string& word) {
  const std::vector<std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
  const std::vector<std::string> names = AxisNames();
  if (parts.size() != 2) {
    return Wrong(absl::StrCat("--sweep: \"", word, "\" is no axis; say nic_gbps=1:400"));
  }
  SweepAxis axis;
  axis.name = parts[0];
  if (std::find(names.begin(), names.end(), axis.name) == names.end()) {
    return Wrong(absl::StrCat("--sweep: no figure \"", axis.name, "\"",
                              DidYouMean(axis.name, names),
                              " Figures: ", absl::StrJoin(names, ", ")));
  }
  const bool range = parts[1].find(':') != std::string::npos;
  std::vector<double> numbers;
  for (const absl::string_view text : absl::StrSplit(parts[1], range ? ':' : ',')) {
    double number = 0;
    if (!absl::SimpleAtod(text, &number) || !std::isfinite(number) || number < 0 ||
        (IsCount(axis.name) && (number < 1 || number != std::floor(number)))) {
      return Wrong(
          absl::StrCat("--sweep ", word, ": \"", text, "\" is no ",
                       IsCount(axis.name) ? "whole number from 1 on" : "number from 0 on"));
    }
    numbers.push_back(number);
  }
  if (!range) {
    axis.values = numbers;
    return axis;
  }
  const double points = numbers.size() == 3 ? numbers[2] : 0;
  if (numbers.size() > 3 || numbers[0] > numbers[1] || points != std::floor(points) ||
      (numbers.size() == 3 && (points < 1 || points > kMostPoints))) {
    return Wrong(absl::StrCat("--sweep ", word, ": a range is FROM:TO or FROM:TO:POINTS"));
  }
  axis.values = Spaced(axis.name, numbers[0], numbers[1], static_cast<int>(points));
  return axis;
}

absl::Status Apply(const std::string& name, double value, PredictionInput* input) {
  ClusterSpec& cluster = input->cluster;
  if (name == "nodes") {
    cluster.set_nodes(static_cast<int>(value));
    input->workers = static_cast<int>(value) * cluster.workers_per_node();
  } else if (name == "workers_per_node") {
    const int per_node = cluster.workers_per_node();
    const int nodes = (input->workers + per_node - 1) / per_node;
    cluster.set_workers_per_node(static_cast<int>(value));
    input->workers = nodes * static_cast<int>(value);
  } else if (name == "jitter") {
    Jitter* jitter = cluster.mutable_jitter();
    if (jitter->distribution() == Jitter::EMPIRICAL) jitter->Clear();
    if (value == 0) {
      jitter->set_distribution(Jitter::NONE);
    } else if (jitter->distribution() == Jitter::NONE) {
      jitter->set_distribution(Jitter::NORMAL);
    }
    jitter->set_relative(value);
  } else if (name == "compute_ms") {
    input->model.set_fixed_ms(value);
    input->model.set_scaled_ms(0);
  } else if (name == "model_mb") {
    const double factor = value / ModelMb(input->model);
    for (BucketProfile& bucket : *input->model.mutable_bucket()) {
      bucket.set_mb(bucket.mb() * factor);
    }
  } else {
    cluster.GetReflection()->SetDouble(&cluster, ClusterSpec::descriptor()->FindFieldByName(name),
                                       value);
  }
  return WithContext(CompleteCluster(&cluster), absl::StrCat("--sweep ", name, "=", value));
}

// What one point compares: All-Reduce and the algorithm over all topologies.
absl::StatusOr<SweepPoint> PointOf(const PredictionInput& input, const std::string& algorithm,
                                   std::map<std::pair<int, int>, std::vector<Candidate>>* known) {
  std::vector<Candidate>& candidates = (*known)[{input.workers, input.cluster.workers_per_node()}];
  if (candidates.empty()) {
    candidates = CandidatesOf(input, algorithm).legal;
  }
  PredictionOptions options = OptionsFor(input.workers, input.config.seed());
  options.steps = std::max<int64_t>(200, options.steps / 2);
  ASSIGN_OR_RETURN(const PredictionTable table, PredictAll(input, candidates, options));
  SweepPoint point;
  point.all_reduce_ms = point.winner_ms = table.all_reduce.mean_ms;
  point.winner = "allreduce";
  if (table.rows.empty()) return point;
  // Of those that tie the first by name, so that a map does not show what rounding decides.
  const PredictedRow* best = &table.rows[0];
  for (const PredictedRow& row : table.rows) {
    if (row.step.mean_ms > table.rows[0].step.mean_ms * (1 + kTie)) break;
    if (row.topology < best->topology) best = &row;
  }
  point.speedup = best->speedup;
  if (best->step.mean_ms < point.all_reduce_ms) {
    point.winner = best->topology;
    point.winner_ms = best->step.mean_ms;
  }
  return point;
}

}  // namespace

absl::StatusOr<std::vector<SweepAxis>> ParseAxes(const std::vector<std::string>& words) {
  std::vector<SweepAxis> axes;
  size_t points = 1;
  for (const std::string& word : words) {
    ASSIGN_OR_RETURN(SweepAxis axis, ParseAxis(word));
    for (const SweepAxis& other : axes) {
      if (other.name == axis.name) return Wrong(absl::StrCat("--sweep: ", axis.name, " twice"));
    }
    points *= axis.values.size();
    axes.push_back(std::move(axis));
  }
  if (points > kMostPoints) {
    return Wrong(absl::StrCat("--sweep asks for ", points, " points; at most ", kMostPoints,
                              ": say FROM:TO:POINTS with fewer"));
  }
  return axes;
}

absl::StatusOr<CrossoverMap> Sweep(const PredictionInput& input,
                                   const std::vector<SweepAxis>& axes) {
  CrossoverMap map;
  map.algorithm = input.config.algorithm().name();
  map.notes = input.notes;
  map.axes = axes;
  std::map<std::pair<int, int>, std::vector<Candidate>> known;
  std::map<std::string, int> wins;
  size_t points = 1;
  for (const SweepAxis& axis : axes) {
    points *= axis.values.size();
    const double most = *std::max_element(axis.values.begin(), axis.values.end());
    if (axis.name == "nic_gbps" && input.cluster.has_communicator_gbps() &&
        input.cluster.communicator_gbps() < most) {
      map.notes.push_back(absl::StrCat("one group or pair gets at most communicator_gbps, ",
                                       input.cluster.communicator_gbps(), ", of any card"));
    }
    if (axis.name == "nodes" && input.cluster.site_size() > 0) {
      return Wrong("--sweep: the cluster's sites say how many nodes there are");
    }
  }
  for (size_t p = 0; p < points; ++p) {
    PredictionInput changed = input;
    changed.cluster.clear_spread();
    changed.model.clear_spread();
    std::vector<double> at(axes.size());
    size_t left = p;
    for (size_t a = axes.size(); a-- > 0; left /= axes[a].values.size()) {
      at[a] = axes[a].values[left % axes[a].values.size()];
    }
    for (size_t a = 0; a < axes.size(); ++a) {
      RETURN_IF_ERROR(Apply(axes[a].name, at[a], &changed));
    }
    ASSIGN_OR_RETURN(SweepPoint point, PointOf(changed, map.algorithm, &known));
    point.at = std::move(at);
    ++wins[point.winner];
    map.points.push_back(std::move(point));
  }
  for (const auto& [winner, count] : wins) map.winners.push_back(winner);
  std::stable_sort(map.winners.begin(), map.winners.end(),
                   [&](const auto& a, const auto& b) { return wins[a] > wins[b]; });
  return map;
}

}  // namespace starling
