// From a command line to runs that could start: loads the config, expands its arms, resolves and
// plans them, and verifies the plans. What verbs that take a config share.
#ifndef EXPERIMENTS_PREPARE_H_
#define EXPERIMENTS_PREPARE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/config/text.h"
#include "experiments/experiment.pb.h"
#include "experiments/flags.h"
#include "experiments/plan.h"

namespace starling {

// A config that is part of the binary (targets made by starling_experiment and starling_sweep);
// empty text: none.
struct BuiltInConfig {
  std::string file;
  std::string text;
  bool is_sweep = false;  // else an experiment
};

// One run to make: an arm, or the whole experiment.
struct Job {
  std::string name;  // of the arm; empty without arms
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  std::unique_ptr<Plan> plan;
  std::string verified;  // what VerifyPlan has checked
};

// The config as given, and the runs that it asks for.
struct Prepared {
  Experiment config;
  std::vector<Job> jobs;
};

// Takes the config from --config, or `built_in` without it, with what --set changes. It is neither
// resolved nor checked, and its arms are in it.
absl::StatusOr<Job> LoadBase(const Arguments& arguments, const BuiltInConfig& built_in);

// Takes the config as LoadBase does, and makes all runs ready. Writes
// nothing. An error means that no run may start: it is a mistake of the user unless a file cannot
// be read.
absl::StatusOr<Prepared> Prepare(const Arguments& arguments, const BuiltInConfig& built_in);

// OK if the data of every job can be read here. A plan may be checked without them, not trained.
absl::Status CheckData(const std::vector<Job>& jobs);

// Fixes the vector level of this process, of all libraries and our own kernels, by executing it
// again where that is needed. Errors: FixCpuLevel's.
absl::Status FixLevels(absl::string_view level, char** argv);

// --cores, or all that the machine has.
int Cores();

// This program's file, for starting it again: not /proc/self/exe, which for a child would be
// itself.
std::string ProgramFile();

// Whether --np or --hosts ask for processes, which RunAsProcesses starts.
bool StartsProcesses();

// Has mpirun start this program again, once per worker, and returns the exit code. `command_line`
// is that of this process. A mistake in the config is told once, before anything is started; then
// `before` may end it with an exit code of its own.
int RunAsProcesses(Arguments arguments, const BuiltInConfig& built_in,
                   const std::vector<std::string>& command_line,
                   const std::function<std::optional<int>(const Prepared&)>& before);

// Prints the error for the user, unless it is the one that was printed last; returns the exit
// code: 2 for wrong usage, 1 for a machine that refuses. Thread-safe.
int Complain(const absl::Status& status);

}  // namespace starling

#endif  // EXPERIMENTS_PREPARE_H_
