#include "experiments/summary.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json NumberOrNull(std::optional<double> value) { return value ? NumberOrNull(*value) : Json(); }

Json PhasesJson(const PhaseSeconds& ms) {
  Json json;
  for (Phase phase :
       {Phase::kData, Phase::kForward, Phase::kBackward, Phase::kUpdate, Phase::kWait}) {
    json[std::string(PhaseName(phase))] = ms[static_cast<int>(phase)];
  }
  return json;
}

void AddTimes(const TimeSplit& time, Json* json) {
  (*json)["step_ms"] = {
      {"mean", time.step_ms_mean}, {"p50", time.step_ms_p50}, {"p99", time.step_ms_p99}};
  (*json)["phase_ms"] = PhasesJson(time.phase_ms);
  (*json)["exposed_comm_ms"] = time.exposed_comm_ms;
  (*json)["overlap_fraction"] = NumberOrNull(time.overlap_fraction);
  (*json)["slowest_worker"] = {{"worker", time.slowest.worker},
                               {"compute_ms", time.slowest.compute_ms},
                               {"median_compute_ms", time.slowest.median_compute_ms},
                               {"others_wait_ms", time.slowest.others_wait_ms}};
  Json workers = Json::array();
  for (const PhaseSeconds& ms : time.worker_phase_ms) workers.push_back(PhasesJson(ms));
  (*json)["worker_phase_ms"] = std::move(workers);
  Json links = Json::array();
  for (const LinkBytes& link : time.links) {
    links.push_back({{"from", link.from}, {"to", link.to}, {"bytes", link.bytes}});
  }
  (*json)["bytes_per_link"] = std::move(links);
}

std::vector<double> Numbers(const Json& list) {
  std::vector<double> numbers;
  for (const Json& number : list) {
    numbers.push_back(number.is_null() ? NAN : number.get<double>());
  }
  return numbers;
}

}  // namespace

std::string SummaryJson(const Experiment& config, const RunResult& result) {
  Json json;
  json["name"] = config.name();
  json["status"] = std::string(RunStatusName(result.status));
  json["message"] = result.message;
  json["workers"] = config.workers();
  json["steps"] = result.steps;
  json["train_loss"] = NumberOrNull(result.train_loss);
  json["eval_accuracy"] = NumberOrNull(result.test.accuracy);
  json["eval_perplexity"] = NumberOrNull(result.test.perplexity);
  json["eval_bleu"] = NumberOrNull(result.test.bleu);
  json["eval_loss"] = result.evaluated ? NumberOrNull(result.test.loss) : Json();
  const auto numbers = [](const std::vector<double>& values) {
    Json list = Json::array();
    for (double value : values) list.push_back(NumberOrNull(value));
    return list;
  };
  json["worker_accuracy"] = numbers(result.test.worker_accuracy);
  json["worker_loss"] = numbers(result.test.worker_loss);
  json["consensus_distance"] = NumberOrNull(result.consensus_distance);
  json["bytes_sent_per_worker"] = static_cast<double>(result.bytes_sent) / config.workers();
  json["wall_seconds"] = result.wall_seconds;
  if (result.sim_seconds) {
    json["sim_seconds"] = *result.sim_seconds;
    json["sim_step_ms"] =
        NumberOrNull(*result.sim_seconds * 1e3 / static_cast<double>(result.steps));
  }
  AddTimes(result.time, &json);
  const bool has_digest = result.status != RunStatus::kFailed;
  json["state_digest"] = has_digest ? Json(absl::StrFormat("%016x", result.state_digest)) : Json();
  // A reason may quote a file's bytes; what is no UTF-8 in it becomes U+FFFD.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<RunResult> ReadSummary(const std::string& run_directory) {
  const std::string path = absl::StrCat(run_directory, "/summary.json");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  RunResult result;
  try {
    const Json json = Json::parse(text);
    const auto number = [&](const char* name) {
      return json.at(name).is_null() ? NAN : json.at(name).get<double>();
    };
    const std::string word = json.at("status").get<std::string>();
    for (RunStatus status :
         {RunStatus::kDone, RunStatus::kDiverged, RunStatus::kFailed, RunStatus::kInterrupted}) {
      if (RunStatusName(status) == word) result.status = status;
    }
    result.message = json.at("message").get<std::string>();
    result.steps = json.at("steps").get<int64_t>();
    result.train_loss = number("train_loss");
    result.evaluated = !json.at("eval_loss").is_null();
    result.test.loss = number("eval_loss");
    const auto measured = [&](const char* name) -> std::optional<double> {
      if (json.at(name).is_null()) return std::nullopt;
      return json.at(name).get<double>();
    };
    result.test.accuracy = measured("eval_accuracy");
    result.test.perplexity = measured("eval_perplexity");
    result.test.bleu = measured("eval_bleu");
    result.test.worker_accuracy = Numbers(json.at("worker_accuracy"));
    result.test.worker_loss = Numbers(json.at("worker_loss"));
    result.consensus_distance = number("consensus_distance");
    result.bytes_sent =
        std::llround(number("bytes_sent_per_worker") * json.at("workers").get<double>());
    result.wall_seconds = number("wall_seconds");
    const Json& digest = json.at("state_digest");
    if (!digest.is_null() &&
        !absl::SimpleHexAtoi(digest.get<std::string>(), &result.state_digest)) {
      return absl::DataLossError(absl::StrCat(path, ": state_digest is not hexadecimal"));
    }
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat(path, " is no summary of a run: ", error.what()));
  }
  return result;
}

}  // namespace starling
