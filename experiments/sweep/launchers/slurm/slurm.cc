// A job array that works on the sweep directory together. See README.md.
#include <stdio.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "experiments/sweep/launcher.h"
#include "experiments/sweep/launchers/slurm/slurm.pb.h"

namespace starling {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// What `command` prints. UNAVAILABLE, with its output, if it fails.
absl::StatusOr<std::string> OutputOf(const std::string& command) {
  FILE* pipe = popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return absl::UnavailableError(absl::StrCat("cannot start ", command));
  std::string output;
  char block[4096];
  for (size_t n; (n = fread(block, 1, sizeof(block), pipe)) > 0;) output.append(block, n);
  const int status = pclose(pipe);
  if (status == 0) return output;
  return absl::UnavailableError(
      absl::StrCat(command, ": ", absl::StripTrailingAsciiWhitespace(output)));
}

class SlurmLauncher final : public Launcher {
 public:
  static absl::StatusOr<std::unique_ptr<Launcher>> Create(const SlurmLauncherConfig& config,
                                                          const Context&) {
    return std::make_unique<SlurmLauncher>(config);
  }

  explicit SlurmLauncher(SlurmLauncherConfig config) : config_(std::move(config)) {}

  absl::StatusOr<QueueEnd> Launch(SweepSession* session) override {
    // Jobs start in a directory of their own.
    const std::string path = std::filesystem::absolute(session->directory().path()).string();
    const std::string folder = path + "/slurm";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    RETURN_IF_ERROR(WriteFileAtomically(folder + "/job.sh", Script(*session, path)));
    ASSIGN_OR_RETURN(const std::string job, Submit(folder));
    session->view()->Line(absl::StrCat("Slurm job ", job, "; Ctrl-C leaves it running"));
    return session->Watch([&job]() -> absl::StatusOr<bool> {
      // A job that is long over is no longer known.
      const auto left = OutputOf(absl::StrCat("squeue --noheader --jobs=", job));
      return left.ok() && !absl::StripAsciiWhitespace(*left).empty();
    });
  }

 private:
  // The job that works on the sweep already, or a new one.
  absl::StatusOr<std::string> Submit(const std::string& folder) const {
    const auto before = ReadFile(folder + "/job_id");
    if (before.ok()) {
      const std::string job(absl::StripAsciiWhitespace(*before));
      const auto left = OutputOf(absl::StrCat("squeue --noheader --jobs=", Quoted(job)));
      if (left.ok() && !absl::StripAsciiWhitespace(*left).empty()) return job;
    }
    ASSIGN_OR_RETURN(const std::string output,
                     OutputOf(absl::StrCat("sbatch --parsable ", Quoted(folder + "/job.sh"))));
    // "123" or "123;cluster", after warnings.
    const std::vector<std::string> lines =
        absl::StrSplit(absl::StripTrailingAsciiWhitespace(output), '\n');
    const std::string job = lines.back().substr(0, lines.back().find(';'));
    int64_t number = 0;
    if (!absl::SimpleAtoi(job, &number)) {
      return absl::UnavailableError(absl::StrCat("sbatch printed no job number: ", output));
    }
    RETURN_IF_ERROR(WriteFileAtomically(folder + "/job_id", job + "\n"));
    return job;
  }

  std::string Script(const SweepSession& session, const std::string& path) const {
    std::string script = "#!/bin/bash\n";
    const auto option = [&](const auto&... parts) {
      absl::StrAppend(&script, "#SBATCH ", parts..., "\n");
    };
    option("--job-name=", absl::StrReplaceAll(session.sweep().name(), {{" ", "_"}}));
    option("--array=1-", std::min(config_.jobs(), session.num_runs()));
    option("--nodes=", config_.nodes_per_run());
    option("--time=", config_.time());
    if (!config_.partition().empty()) option("--partition=", config_.partition());
    if (!config_.account().empty()) option("--account=", config_.account());
    if (config_.has_cpus_per_node()) {
      option("--ntasks-per-node=", config_.cpus_per_node());
    } else {
      option("--exclusive");
    }
    option("--signal=B:USR1@120");
    option("--requeue");
    option("--open-mode=append");
    option("--output=", path, "/slurm/%a.log");
    for (const std::string& extra : config_.extra()) option(extra);
    for (const std::string& line : config_.setup()) absl::StrAppend(&script, line, "\n");
    const SessionOptions& options = session.options();
    const bool whole = config_.nodes_per_run() > 1;
    absl::StrAppend(
        &script, Quoted(options.program), " sweep --config=", Quoted(path + "/sweep.textproto"),
        " --sweep_dir=", Quoted(path), whole ? " --launcher=mpirun" : " --launcher=local",
        " --resume --cpu=", options.cpu);
    if (options.jobs > 0) absl::StrAppend(&script, " --jobs=", options.jobs);
    if (options.retry_failed) absl::StrAppend(&script, " --retry_failed");
    if (options.fail_fast) absl::StrAppend(&script, " --fail_fast");
    absl::StrAppend(&script, R"( &
sweep=$!
trap 'kill -TERM $sweep' USR1 TERM
# A signal ends the wait, not the sweep.
code=200
while [ "$code" -gt 128 ]; do
  wait $sweep
  code=$?
done
# 75: stopped by the signal, with checkpoints. Queued again, the job goes on from there.
if [ "$code" = 75 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$code"
)");
    return script;
  }

  const SlurmLauncherConfig config_;
};

STARLING_REGISTER_PLUGIN(Launcher, SlurmLauncher, SlurmLauncherConfig,
                         PluginFacts{"slurm", "a job array that shares the runs",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
