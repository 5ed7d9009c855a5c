#include "experiments/report/run_record.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::json;

constexpr char kSimSeconds[] = "time/sim_seconds";
constexpr char kBytesSent[] = "comm/bytes_sent_per_worker";

// The file's text, "" if there is none.
absl::StatusOr<std::string> ReadIfThere(const std::string& path) {
  auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return "";
  return text;
}

// At `step` on the line through the known points; beyond them as at the nearest.
double Interpolate(const std::map<int64_t, double>& known, int64_t step) {
  if (known.empty()) return 0;
  const auto right = known.lower_bound(step);
  if (right == known.end()) return std::prev(right)->second;
  if (right == known.begin() || right->first == step) return right->second;
  const auto left = std::prev(right);
  const double share =
      static_cast<double>(step - left->first) / static_cast<double>(right->first - left->first);
  return left->second + share * (right->second - left->second);
}

// Fills in metrics and progress.
void AddMetrics(absl::string_view text, RunRecord* record) {
  std::map<int64_t, double> wall_seconds, sim_seconds, bytes;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const Json json = Json::parse(line.begin(), line.end());
    if (json.at("worker").get<int>() >= 0) continue;
    const int64_t step = json.at("step").get<int64_t>();
    wall_seconds[step] = json.at("wall_s").get<double>();
    for (const auto& [name, json_value] : json.items()) {
      if (!absl::StrContains(name, "/")) continue;
      const double value = json_value.is_number() ? json_value.get<double>() : NAN;
      if (name == kSimSeconds) {
        sim_seconds[step] = value;
      } else if (name == kBytesSent) {
        bytes[step] = value;
      } else {
        record->metrics[name][step] = value;
      }
    }
  }
  record->simulated = !sim_seconds.empty();
  for (auto* known : {&sim_seconds, &bytes}) {
    if (!known->empty()) known->emplace(0, 0.0);  // where every run begins
  }
  const auto& seconds = record->simulated ? sim_seconds : wall_seconds;
  for (const auto& [step, wall] : wall_seconds) {
    record->progress[step] = {Interpolate(seconds, step), Interpolate(bytes, step) / 1e6};
  }
}

void AddNumbers(const Json& json, const std::string& path, std::map<std::string, double>* numbers) {
  for (const auto& [name, value] : json.items()) {
    if (value.is_number()) (*numbers)[absl::StrCat(path, name)] = value.get<double>();
    if (value.is_object()) AddNumbers(value, absl::StrCat(path, name, "/"), numbers);
    if (!value.is_array()) continue;
    for (const Json& entry : value) {
      if (!entry.is_number()) continue;
      const double number = entry.get<double>();
      double& least = numbers->emplace(absl::StrCat(path, name, "/least"), number).first->second;
      double& most = numbers->emplace(absl::StrCat(path, name, "/most"), number).first->second;
      least = std::min(least, number);
      most = std::max(most, number);
    }
  }
}

void AddSummary(const std::string& text, RunRecord* record) {
  const Json json = Json::parse(text);
  AddNumbers(json, "", &record->numbers);
  record->message = json.at("message").get<std::string>();
  if (json.at("state_digest").is_string()) {
    record->state_digest = json.at("state_digest").get<std::string>();
  }
  for (const Json& link : json.at("bytes_per_link")) {
    record->links.push_back(
        {link.at("from").get<int>(), link.at("to").get<int>(), link.at("bytes").get<double>()});
  }
}

}  // namespace

absl::StatusOr<RunRecord> ReadRunRecord(const std::string& directory) {
  RunRecord record;
  const std::string metrics_path = absl::StrCat(directory, "/metrics.jsonl");
  const std::string summary_path = absl::StrCat(directory, "/summary.json");
  ASSIGN_OR_RETURN(std::string metrics, ReadIfThere(metrics_path));
  ASSIGN_OR_RETURN(const std::string summary, ReadIfThere(summary_path));
  const std::string prediction_path = absl::StrCat(directory, "/prediction.json");
  ASSIGN_OR_RETURN(const std::string prediction, ReadIfThere(prediction_path));
  ASSIGN_OR_RETURN(const std::string config_text,
                   ReadIfThere(absl::StrCat(directory, "/config.textproto")));
  metrics.resize(metrics.rfind('\n') + 1);  // npos + 1 is 0
  std::string path = metrics_path;
  try {
    AddMetrics(metrics, &record);
    path = summary_path;
    if (!summary.empty()) AddSummary(summary, &record);
    path = prediction_path;
    if (!prediction.empty()) AddNumbers(Json::parse(prediction), "predicted/", &record.numbers);
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat(path, " was not written by a run: ", error.what()));
  }
  Experiment config;
  if (!config_text.empty() && ParseText(config_text, "config.textproto", &config).ok()) {
    record.config = config;
  }
  return record;
}

std::optional<double> ValueOf(const RunRecord& record, const std::string& metric) {
  if (const auto found = record.numbers.find(metric); found != record.numbers.end()) {
    return found->second;
  }
  const auto found = record.metrics.find(metric);
  if (found == record.metrics.end()) return std::nullopt;
  for (auto point = found->second.rbegin(); point != found->second.rend(); ++point) {
    if (std::isfinite(point->second)) return point->second;
  }
  return std::nullopt;
}

}  // namespace starling
