#include "experiments/replay/recorded_run.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "experiments/experiment.pb.h"
#include "experiments/replay/metric_comparison.h"
#include "experiments/summary.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::json;

absl::Status ReadManifest(RecordedRun* run) {
  const std::string path = run->File("manifest.json");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  try {
    const Json json = Json::parse(text);
    const auto word = [](const Json& object, const char* name) {
      const auto found = object.find(name);
      return found == object.end() || found->is_null() ? "" : found->get<std::string>();
    };
    const Json& source = json.at("starling");
    run->commit = word(source, "commit");
    run->dirty = !source.at("dirty").is_null() && source.at("dirty").get<bool>();
    const Json& facts = json.at("run");
    run->cpu = word(facts, "cpu");
    run->data = word(facts, "data_fingerprint");
    run->partition = word(facts, "partition_fingerprint");
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat(path, " is no manifest of a run: ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace

bool RecordedRun::Has(const std::string& name) const {
  std::error_code error;
  return std::filesystem::exists(File(name), error);
}

absl::StatusOr<RecordedRun> ReadRecordedRun(const std::string& path) {
  RecordedRun run;
  run.path = path;
  run.status = RunDirectory::StatusAt(path);
  if (run.status.empty()) {
    return absl::NotFoundError(absl::StrCat(path, " holds no run (no STATUS)"));
  }
  if (run.Has("comparison.txt") || !run.Has("manifest.json")) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " holds no run of its own (no manifest.json); of arms each has its directory there"));
  }
  ASSIGN_OR_RETURN(run.config, ReadFile(run.File("config.textproto")));
  Experiment config;
  RETURN_IF_ERROR(ParseText(run.config, run.File("config.textproto"), &config));
  run.backend = config.backend().name();
  RETURN_IF_ERROR(ReadManifest(&run));
  const auto commands = ReadFile(run.File("command.txt"));
  run.resumed = commands.ok() && std::count(commands->begin(), commands->end(), '\n') > 1;
  if (run.Has("summary.json")) {
    ASSIGN_OR_RETURN(const RunResult result, ReadSummary(path));
    run.steps = result.steps;
    run.ended_as_planned = result.status == RunStatus::kDone;
    // 0: a simulation of time alone has no state.
    if (result.status != RunStatus::kFailed && result.state_digest != 0) {
      run.digest = result.state_digest;
    }
  } else {
    // Killed: what it has recorded is what it has made, as far as anybody knows.
    const auto metrics = ReadMetrics(run.path);
    if (metrics.ok() && !metrics->empty()) run.steps = metrics->rbegin()->first.step;
  }
  return run;
}

}  // namespace starling
