#include "experiments/sweep/sweep_directory.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/identity.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? FileError(error.value(), "make", path) : absl::OkStatus();
}

std::string DescriptionJson(const Sweep& sweep, const std::string& path, const std::string& build) {
  Json json;
  json["title"] = sweep.name();
  json["metric"] = sweep.metric();
  json["larger_is_better"] = sweep.larger_is_better();
  json["build"] = build;
  json["commands"] = {
      absl::StrCat("starling sweep --config=", path, "/sweep.textproto --sweep_dir=NEW_DIRECTORY")};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// "" if there is none.
std::string BuildOf(const std::string& description) {
  const Json json = Json::parse(description, nullptr, /*allow_exceptions=*/false);
  const bool has = json.is_object() && json.contains("build") && json["build"].is_string();
  return has ? json["build"].get<std::string>() : "";
}

}  // namespace

absl::string_view RunStateName(RunState state) {
  switch (state) {
    case RunState::kPending:
      return "pending";
    case RunState::kRunning:
      return "running";
    case RunState::kInterrupted:
      return "interrupted";
    case RunState::kFailed:
      return "failed";
    case RunState::kStopped:
      return "stopped";
    case RunState::kDiverged:
      return "diverged";
    case RunState::kDone:
      break;
  }
  return "done";
}

std::string SweepDirectory::File(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}
std::string SweepDirectory::RunPath(absl::string_view id) const {
  return absl::StrCat(path_, "/runs/", id);
}
std::string SweepDirectory::LogPath(absl::string_view id) const {
  return absl::StrCat(path_, "/logs/", id, ".log");
}
std::string SweepDirectory::ConfigPath(absl::string_view id) const {
  return absl::StrCat(path_, "/configs/", id, ".textproto");
}

absl::Status SweepDirectory::Begin(const Sweep& sweep, const std::string& build,
                                   bool accept_build) const {
  const std::string definition = File("sweep.textproto");
  std::error_code error;
  if (fs::exists(path_, error) && !fs::exists(definition, error) &&
      !(fs::is_directory(path_, error) && fs::is_empty(path_, error))) {
    // Another launcher may be about to write it.
    if (!fs::exists(File("claims"), error)) {
      return absl::FailedPreconditionError(
          absl::StrCat("--sweep_dir=", path_, " holds something that is no sweep"));
    }
  }
  for (const char* folder : {"claims", "configs", "logs", "outcomes", "runs"}) {
    RETURN_IF_ERROR(MakeDirectory(File(folder)));
  }
  if (fs::exists(definition, error)) {
    Sweep before;
    RETURN_IF_ERROR(LoadText(definition, &before));
    std::vector<std::string> differences;
    for (const ConfigDifference& difference : Differences(before.base(), sweep.base())) {
      differences.push_back(difference.text());
    }
    if (!differences.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "--sweep_dir=", path_, " holds a sweep with another base; name another directory:\n  ",
          absl::StrJoin(differences, "\n  ")));
    }
    ASSIGN_OR_RETURN(const std::string description, ReadFile(File("sweep.json")));
    const std::string begun = BuildOf(description);
    if (begun != build && !accept_build) {
      return absl::FailedPreconditionError(
          absl::StrCat("--sweep_dir=", path_, " was begun by build ", begun, ", and this is ",
                       build, "; runs of both may differ. --accept_build goes on all the same"));
    }
  }
  // In this order: who finds a definition finds a description too.
  RETURN_IF_ERROR(WriteFileAtomically(File("sweep.json"), DescriptionJson(sweep, path_, build)));
  return WriteFileAtomically(definition, PrintText(sweep));
}

RunState SweepDirectory::StateOf(absl::string_view id) const {
  const auto outcome = ReadOutcome(id);
  if (outcome.ok() && outcome->has_value()) return (*outcome)->state;
  if (FileLock::IsHeld(File(absl::StrCat("claims/", id)))) return RunState::kRunning;
  std::error_code error;
  return fs::exists(ConfigPath(id), error) ? RunState::kInterrupted : RunState::kPending;
}

absl::StatusOr<std::optional<Outcome>> SweepDirectory::ReadOutcome(absl::string_view id) const {
  const std::string path = File(absl::StrCat("outcomes/", id, ".json"));
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  RETURN_IF_ERROR(text.status());
  try {
    const Json json = Json::parse(*text);
    Outcome outcome;
    const std::string word = json.at("status").get<std::string>();
    for (RunState state :
         {RunState::kFailed, RunState::kStopped, RunState::kDiverged, RunState::kDone}) {
      if (RunStateName(state) == word) outcome.state = state;
    }
    outcome.reason = json.at("reason").get<std::string>();
    outcome.attempts = json.at("attempts").get<int>();
    return outcome;
  } catch (const Json::exception& error) {
    return absl::DataLossError(absl::StrCat(path, " is damaged: ", error.what()));
  }
}

absl::Status SweepDirectory::WriteOutcome(absl::string_view id, const Outcome& outcome) const {
  const Json json = {{"status", std::string(RunStateName(outcome.state))},
                     {"reason", outcome.reason},
                     {"attempts", outcome.attempts}};
  return WriteFileAtomically(File(absl::StrCat("outcomes/", id, ".json")),
                             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

absl::StatusOr<std::unique_ptr<FileLock>> SweepDirectory::Claim(absl::string_view id) const {
  ASSIGN_OR_RETURN(auto claim, FileLock::Try(File(absl::StrCat("claims/", id))));
  if (claim == nullptr || FileLock::IsHeld(absl::StrCat(RunPath(id), "/.lock"))) return nullptr;
  return claim;
}

}  // namespace starling
