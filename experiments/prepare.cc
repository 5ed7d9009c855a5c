#include "experiments/prepare.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/cpu_level.h"
#include "core/ops/cpu.h"
#include "core/plugin_table.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/launch.h"
#include "experiments/verify.h"
#include "gflags/gflags.h"
#include "glog/logging.h"

DEFINE_string(config, "", "the experiment, a text proto");
DEFINE_int32(cores, 0, "workers that compute at the same time; default: all cores");
DEFINE_int32(np, 0, "start so many worker processes with mpirun (backend mpi)");
DEFINE_string(hosts, "", "where --np starts them: host:slots,...; default: here");

namespace starling {
namespace {

absl::Status ApplySet(const std::string& assignment, absl::string_view origin, Job* job) {
  RETURN_IF_ERROR(WithContext(SetField(&job->config, assignment, &job->notes), origin));
  job->locations.Record(assignment.substr(0, assignment.find('=')),
                        absl::StrCat(origin, " ", assignment));
  return absl::OkStatus();
}

// Under a launcher every process is one worker: threads would train everything in each of them.
absl::Status FollowLauncher(const Arguments& arguments, Job* base) {
  RETURN_IF_ERROR(Launch().status());
  const LaunchEnvironment& launch = *Launch();
  const std::string& backend = base->config.backend().name();
  if (launch.launcher.empty() || !(backend.empty() || backend == "threads"))
    return absl::OkStatus();
  const auto asked = [](const std::string& set) { return absl::StartsWith(set, "backend"); };
  if (std::any_of(arguments.set.begin(), arguments.set.end(), asked)) {
    if (launch.size == 1) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("--set backend.name=threads trains all workers in one process, but ",
                     launch.launcher, " has started several; leave one of both out"));
  }
  // torchrun has the variables that nccl starts from; MPI cannot start from them.
  const bool has_nccl = PluginTable::Global().Find("backend", "nccl") != nullptr;
  const std::string backend_for = launch.launcher == "torchrun" && has_nccl ? "nccl" : "mpi";
  if (IsLead()) {
    LOG(INFO) << "started by " << launch.launcher << ": backend " << backend_for;
  }
  return SetField(&base->config, "backend.name=" + backend_for, &base->notes);
}

}  // namespace

absl::StatusOr<Job> LoadBase(const Arguments& arguments, const BuiltInConfig& built_in) {
  Job base;
  if (FLAGS_config.empty()) {
    if (built_in.text.empty() || built_in.is_sweep) {
      return absl::InvalidArgumentError(
          "--config=FILE is missing; experiments/configs has examples");
    }
    RETURN_IF_ERROR(ParseText(built_in.text, built_in.file, &base.config, &base.locations));
  } else {
    absl::Status loaded = LoadText(UserPath(FLAGS_config), &base.config, &base.locations);
    if (!loaded.ok()) return absl::InvalidArgumentError(loaded.message());
  }
  for (const std::string& assignment : arguments.set) {
    RETURN_IF_ERROR(ApplySet(assignment, "--set", &base));
  }
  RETURN_IF_ERROR(FollowLauncher(arguments, &base));
  return base;
}

namespace {

absl::StatusOr<std::vector<Job>> ExpandArms(const Job& base) {
  std::vector<Job> jobs;
  std::set<std::string> names;
  for (int i = 0; i < base.config.arm_size(); ++i) {
    const Arm& arm = base.config.arm(i);
    Job job;
    job.name = arm.name();
    job.config = base.config;
    job.config.clear_arm();
    job.locations = base.locations;
    job.notes = base.notes;
    const std::string where = absl::StrCat("arm[", i, "]");
    if (arm.name().empty() ||
        arm.name().find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_-.") != std::string::npos ||
        arm.name()[0] == '.') {
      return absl::InvalidArgumentError(absl::StrCat(
          where, ".name is \"", arm.name(), "\"; it names a directory: letters, digits, _ - ."));
    }
    if (!names.insert(arm.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ".name is \"", arm.name(), "\", as that of an arm before it"));
    }
    for (const std::string& assignment : arm.set()) {
      RETURN_IF_ERROR(ApplySet(assignment, absl::StrCat("arm \"", arm.name(), "\""), &job));
    }
    jobs.push_back(std::move(job));
  }
  return jobs;
}

// Wrong usage is 2, a machine that refuses is 1.
int ExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 2;
    default:
      return 1;
  }
}

}  // namespace

absl::StatusOr<Prepared> Prepare(const Arguments& arguments, const BuiltInConfig& built_in) {
  ASSIGN_OR_RETURN(Job base, LoadBase(arguments, built_in));
  Prepared prepared;
  prepared.config = base.config;
  if (base.config.arm_size() > 0) {
    ASSIGN_OR_RETURN(prepared.jobs, ExpandArms(base));
  } else {
    prepared.jobs.push_back(std::move(base));
  }
  for (Job& job : prepared.jobs) {
    const std::string context = job.name.empty() ? "" : absl::StrCat("arm \"", job.name, "\"");
    const auto in_arm = [&](const absl::Status& status) {
      return context.empty() ? status : WithContext(status, context);
    };
    RETURN_IF_ERROR(in_arm(ResolveExperiment(job.locations, &job.config, &job.notes)));
    auto plan = MakePlan(job.config, job.locations);
    if (!plan.ok()) return in_arm(plan.status());
    job.plan = *std::move(plan);
    auto verified = VerifyPlan(*job.plan, job.locations);
    if (!verified.ok()) return in_arm(verified.status());
    job.verified = *std::move(verified);
  }
  return prepared;
}

absl::Status CheckData(const std::vector<Job>& jobs) {
  for (const Job& job : jobs) RETURN_IF_ERROR(job.plan->dataset->Available());
  return absl::OkStatus();
}

absl::Status FixLevels(absl::string_view level, char** argv) {
  RETURN_IF_ERROR(FixCpuLevel(level, argv));
  if (CpuLevel() == "avx2") return ops::SetCpuLevel(ops::CpuLevel::kAvx2);
  return absl::OkStatus();
}

int Cores() {
  return FLAGS_cores > 0 ? FLAGS_cores : std::max(1u, std::thread::hardware_concurrency());
}

std::string ProgramFile() {
  std::error_code not_a_link;
  const auto real = std::filesystem::read_symlink(OwnProgram(), not_a_link);
  return not_a_link ? OwnProgram() : real.string();
}

bool StartsProcesses() { return FLAGS_np != 0 || !FLAGS_hosts.empty(); }

int RunAsProcesses(Arguments arguments, const BuiltInConfig& built_in,
                   const std::vector<std::string>& command_line,
                   const std::function<std::optional<int>(const Prepared&)>& before) {
  const auto command = MpirunCommand(FLAGS_np, FLAGS_hosts, ProgramFile(),
                                     {command_line.begin() + 1, command_line.end()});
  if (!command.ok()) return Complain(command.status());
  arguments.set.push_back(command->back().substr(std::string("--set=").size()));
  const auto prepared = Prepare(arguments, built_in);
  if (!prepared.ok()) return Complain(prepared.status());
  if (const std::optional<int> code = before(*prepared)) return *code;
  const auto code = RunProcesses(*command);
  return code.ok() ? *code : Complain(code.status());
}

int Complain(const absl::Status& status) {
  // Of several processes one speaks, unless it cannot.
  const bool lead_is_gone = absl::StrContains(status.message(), "worker 0 (") ||
                            absl::StrContains(status.message(), "cannot reach process 0");
  if (!IsLead() && !lead_is_gone) return ExitCode(status);
  static std::mutex mutex;
  static auto* const said = new std::string;
  std::lock_guard<std::mutex> lock(mutex);
  if (*said != status.message()) {
    *said = std::string(status.message());
    std::fprintf(stderr, "starling: %s\n", said->c_str());
  }
  return ExitCode(status);
}

}  // namespace starling
