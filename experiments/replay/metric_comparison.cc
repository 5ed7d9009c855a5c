#include "experiments/replay/metric_comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::json;

constexpr char kSimSeconds[] = "time/sim_seconds";

bool IsTime(const std::string& name) {
  return name == "wall_s" || (absl::StartsWith(name, "time/") && name != kSimSeconds);
}

bool IsCost(const std::string& name) {
  return absl::StartsWith(name, "comm/") || name == kSimSeconds;
}

// Infinite where only one of both is a number.
double RelativeDifference(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return 0;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::infinity();
  return a == b ? 0 : std::abs(a - b) / std::max(std::abs(a), std::abs(b));
}

}  // namespace

absl::StatusOr<Metrics> ReadMetrics(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/metrics.jsonl");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Metrics metrics;
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    try {
      const Json json = Json::parse(line.begin(), line.end());
      MetricKey key{json.at("step").get<int64_t>(), json.at("worker").get<int>(), ""};
      for (const auto& [name, value] : json.items()) {
        if (name == "step" || name == "worker" || IsTime(name)) continue;
        key.name = name;
        double& number = metrics[key] = value.is_null() ? NAN : value.get<double>();
        // What is below ns depends on what the process has simulated before.
        if (name == kSimSeconds) number = std::round(number * 1e9) / 1e9;
      }
    } catch (const Json::exception& error) {
      return absl::DataLossError(absl::StrCat(path, ":", number, ": ", error.what()));
    }
  }
  return metrics;
}

bool IsSimulated(const Metrics& metrics) {
  return std::any_of(metrics.begin(), metrics.end(),
                     [](const auto& entry) { return entry.first.name == kSimSeconds; });
}

MetricComparison Compare(const Metrics& a, const Metrics& b,
                         const MetricComparisonOptions& options) {
  const auto compared = [&](const MetricKey& key) {
    return key.step >= options.from && key.step <= options.until &&
           (options.costs || !IsCost(key.name)) &&
           (options.windows || !absl::StartsWith(key.name, "train/"));
  };
  std::set<MetricKey> keys;
  for (const auto& [key, value] : a) {
    if (!options.more_in_a || b.count(key) > 0) keys.insert(key);
  }
  for (const auto& [key, value] : b) {
    if (!options.more_in_b || a.count(key) > 0) keys.insert(key);
  }
  MetricComparison comparison;
  for (const MetricKey& key : keys) {
    if (!compared(key)) continue;
    MetricDifference difference{key, std::nullopt, std::nullopt};
    if (const auto found = a.find(key); found != a.end()) difference.a = found->second;
    if (const auto found = b.find(key); found != b.end()) difference.b = found->second;
    double relative = std::numeric_limits<double>::infinity();
    if (difference.a && difference.b) relative = RelativeDifference(*difference.a, *difference.b);
    ++comparison.values;
    comparison.largest = std::max(comparison.largest, relative);
    if (relative > options.tolerance && !comparison.difference) comparison.difference = difference;
  }
  return comparison;
}

}  // namespace starling
