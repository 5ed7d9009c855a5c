// Workers in processes that a test forks, with torchrun's variables, on this machine.
#ifndef COMM_NCCL_FORKED_WORLD_H_
#define COMM_NCCL_FORKED_WORLD_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace starling {

// All may use the same card: to NCCL, which wants one for each worker of a machine, they seem to be
// on machines of their own, connected by the loopback interface.
class ForkedWorld {
 public:
  struct Result {
    int status = -1;     // as waitpid says
    std::string output;  // both streams
  };

  // Forks; each process ends with what `worker` returns. Before CUDA, or any thread, is used.
  ForkedWorld(int workers, const std::function<int()>& worker);

  // Kills who is still there.
  ~ForkedWorld();

  // Reads until every worker has printed `text`; false: it has not within `seconds`, or has ended.
  bool AwaitOutput(const std::string& text, double seconds);

  void Kill(int worker);

  // Reads until all have ended; kills those that take longer than `seconds`.
  std::vector<Result> Finish(double seconds);

 private:
  struct Process {
    pid_t pid;
    int pipe;  // -1: it has closed it
    Result result;
  };

  // Reads what there is until `done`, or everybody has closed his pipe.
  bool ReadUntil(const std::function<bool()>& done, double seconds);

  std::vector<Process> processes_;
};

}  // namespace starling

#endif  // COMM_NCCL_FORKED_WORLD_H_
