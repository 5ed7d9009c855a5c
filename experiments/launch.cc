#include "experiments/launch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace starling {

const absl::StatusOr<LaunchEnvironment>& Launch() {
  static const auto* launch = new absl::StatusOr<LaunchEnvironment>(
      ReadLaunchEnvironment([](const char* name) -> const char* { return getenv(name); }));
  return *launch;
}

bool IsLead() { return !Launch().ok() || Launch()->rank == 0; }

namespace {

// Slots of "a:2,b:2"; a host without a number has one.
absl::StatusOr<int> SlotsOf(const std::string& hosts) {
  int slots = 0;
  for (const absl::string_view host : absl::StrSplit(hosts, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(host, absl::MaxSplits(':', 1));
    int here = 1;
    const bool number = !absl::StrContains(host, ':') || absl::SimpleAtoi(parts.second, &here);
    if (parts.first.empty() || !number || here < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--hosts=", hosts, ": \"", host, "\" is not of the form host:slots"));
    }
    slots += here;
  }
  return slots;
}

// Whether `arg` is the flag `name`, and whether its value is the next argument.
bool IsFlag(const std::string& arg, const std::string& name, bool* value_follows) {
  const size_t begin = arg.find_first_not_of('-');
  if (begin == 0 || begin == std::string::npos) return false;
  const std::string bare = arg.substr(begin);
  *value_follows = bare == name;
  return *value_follows || absl::StartsWith(bare, name + "=");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MpirunCommand(int np, const std::string& hosts,
                                                       const std::string& program,
                                                       const std::vector<std::string>& args) {
  if (Launch().ok() && !Launch()->launcher.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--np and --hosts start processes, but ", Launch()->launcher,
                     " has started this one already; leave them out"));
  }
  if (np < 0) return absl::InvalidArgumentError(absl::StrCat("--np=", np, ": it must be positive"));
  if (!hosts.empty()) {
    const auto slots = SlotsOf(hosts);
    if (!slots.ok()) return slots.status();
    if (np == 0) np = *slots;
    if (np > *slots) {
      return absl::InvalidArgumentError(
          absl::StrCat("--np=", np, " is more than the ", *slots, " slots of --hosts=", hosts));
    }
  }
  std::vector<std::string> command = {"mpirun", "-np", absl::StrCat(np), "--bind-to", "none"};
  if (geteuid() == 0) command.push_back("--allow-run-as-root");
  if (hosts.empty()) {
    command.push_back("--oversubscribe");
  } else {
    command.insert(command.end(), {"--host", hosts});
  }
  // Where the user stands, for relative paths.
  if (getenv("BUILD_WORKING_DIRECTORY") != nullptr) {
    command.insert(command.end(), {"-x", "BUILD_WORKING_DIRECTORY"});
  }
  command.push_back(program);
  for (size_t i = 0; i < args.size(); ++i) {
    bool value_follows = false;
    if (IsFlag(args[i], "np", &value_follows) || IsFlag(args[i], "hosts", &value_follows)) {
      if (value_follows) ++i;
      continue;
    }
    command.push_back(args[i]);
  }
  command.push_back(absl::StrCat("--set=workers=", np));
  return command;
}

absl::StatusOr<int> RunProcesses(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  sigset_t signals, before;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);                     // the terminal's Ctrl-C comes to us alone
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // and nothing outlives us
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    execvp(arguments[0], arguments.data());
    std::fprintf(stderr, "starling: cannot start %s: %s%s\n", arguments[0], strerror(errno),
                 errno == ENOENT ? "; it comes with Open MPI (Debian: openmpi-bin)" : "");
    _exit(1);
  }
  if (child < 0) {
    return absl::UnavailableError(absl::StrCat("cannot start a process: ", strerror(errno)));
  }
  int stops = 0, first_stop = 0, status = 0;
  while (true) {
    int received = 0;
    sigwait(&signals, &received);
    if (received == SIGCHLD) {
      if (waitpid(child, &status, WNOHANG) != child) continue;
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      // The processes know nothing of Ctrl-C.
      return code == kResumableExitCode && first_stop == SIGINT ? kCtrlCExitCode : code;
    }
    if (received == SIGUSR2) {
      kill(child, SIGUSR2);
    } else if (++stops == 1) {
      first_stop = received;
      kill(child, SIGUSR1);
    } else {
      kill(child, SIGTERM);
    }
  }
}

}  // namespace starling
