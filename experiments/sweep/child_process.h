// Processes that a launcher starts and that do not outlive it.
#ifndef EXPERIMENTS_SWEEP_CHILD_PROCESS_H_
#define EXPERIMENTS_SWEEP_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace starling {

class ChildProcess {
 public:
  // Starts `command` with its output added to the file `log`, in a process group of its own, on the
  // processors `cores` (empty: on all). It is killed when the thread that called this ends,
  // whatever ends it. Call it from a thread that lives as long as the child may.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& command, const std::string& log,
      const std::vector<int>& cores);

  // Kills and awaits it, if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // What waitpid says of a child that has ended.
  std::optional<int> Poll();

  void Signal(int signal) const;

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  std::optional<int> ended_;
};

// "exit code 3", "killed by signal 11 (Segmentation fault)".
std::string EndText(int wait_status);

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_CHILD_PROCESS_H_
