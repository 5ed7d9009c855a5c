#include "experiments/report/run_input.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/report/run_record.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

// By what runs are ranked, the first that any of them has. Time alone is simulated in some.
struct Ranking {
  const char* metric;
  bool larger_is_better;
};
constexpr Ranking kRankings[] = {{"eval_bleu", true},
                                 {"eval_accuracy", true},
                                 {"eval_loss", false},
                                 {"train/loss", false},
                                 {"sim_seconds", false}};

// The last part of a path, whether or not a slash follows it.
std::string NameOf(const std::string& path) {
  const fs::path clean = fs::path(path).lexically_normal();
  return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

bool IsRun(const std::string& path) {
  std::error_code error;
  return fs::exists(absl::StrCat(path, "/config.textproto"), error);
}

// The directories of arms below `path`, by name; a lone run has none.
std::vector<std::string> Arms(const std::string& path) {
  std::vector<std::string> arms;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (IsRun(entry.path().string())) arms.push_back(entry.path().string());
  }
  std::sort(arms.begin(), arms.end());
  return arms;
}

// Its contents; empty if it cannot be read.
std::string TextOf(const std::string& path) {
  const auto text = ReadFile(path);
  return text.ok() ? *text : "";
}

}  // namespace

absl::StatusOr<ReportInput> ReadRun(const std::string& run_dir) {
  ReportInput input;
  std::vector<std::string> directories = Arms(run_dir);
  if (!directories.empty()) {
    input.columns = {"arm"};
  } else if (IsRun(run_dir)) {
    directories = {run_dir};
  } else {
    return absl::NotFoundError(absl::StrCat(
        run_dir, " holds no run: there is no config.textproto in it, nor in a directory below"));
  }
  input.config_text = TextOf(absl::StrCat(run_dir, "/config.textproto"));
  input.title = NameOf(run_dir);
  std::vector<RunRecord> records;
  for (const std::string& directory : directories) {
    ASSIGN_OR_RETURN(RunRecord record, ReadRunRecord(directory));
    ReportRun run;
    run.id = NameOf(directory);
    run.directory = directory;
    run.status = RunDirectory::StatusAt(directory);
    if (!input.columns.empty()) run.values = {run.id};
    if (record.config) {
      run.seed = record.config->seed();
      input.title = record.config->name();
    }
    input.runs.push_back(std::move(run));
    records.push_back(std::move(record));
  }
  for (const Ranking& ranking : kRankings) {
    input.metric = ranking.metric;
    input.larger_is_better = ranking.larger_is_better;
    if (std::any_of(records.begin(), records.end(), [&](const RunRecord& record) {
          return ValueOf(record, input.metric).has_value();
        })) {
      break;
    }
  }
  const std::string command = TextOf(absl::StrCat(directories[0], "/command.txt"));
  for (const absl::string_view line : absl::StrSplit(command, '\n', absl::SkipEmpty())) {
    input.commands.emplace_back(line);
  }
  return input;
}

}  // namespace starling
