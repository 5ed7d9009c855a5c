#include "comm/nccl/forked_world.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling {
namespace {

int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  PCHECK(bind(probe, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
         getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  close(probe);
  return ntohs(at.sin_port);
}

void Set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

void SetVariables(int rank, int workers, int port) {
  Set("RANK", absl::StrCat(rank));
  Set("WORLD_SIZE", absl::StrCat(workers));
  Set("LOCAL_RANK", absl::StrCat(rank));
  Set("MASTER_ADDR", "127.0.0.1");
  Set("MASTER_PORT", absl::StrCat(port));
  Set("NCCL_HOSTID", absl::StrCat("starling-test-", rank));
  Set("NCCL_SOCKET_IFNAME", "lo");
  for (const char* other : {"NCCL_P2P_DISABLE", "NCCL_SHM_DISABLE", "NCCL_IB_DISABLE"}) {
    Set(other, "1");
  }
}

}  // namespace

ForkedWorld::ForkedWorld(int workers, const std::function<int()>& worker) {
  const int port = FreePort();
  std::fflush(nullptr);  // or children would print it too
  for (int rank = 0; rank < workers; ++rank) {
    int ends[2];
    PCHECK(pipe(ends) == 0);
    const pid_t pid = fork();
    PCHECK(pid >= 0);
    if (pid == 0) {
      for (const Process& process : processes_) close(process.pipe);
      close(ends[0]);
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      close(ends[1]);
      SetVariables(rank, workers, port);
      std::exit(worker());
    }
    close(ends[1]);
    processes_.push_back({pid, ends[0], {}});
  }
}

ForkedWorld::~ForkedWorld() { Finish(0); }

bool ForkedWorld::ReadUntil(const std::function<bool()>& done, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!done()) {
    std::vector<pollfd> entries;
    for (const Process& process : processes_) entries.push_back({process.pipe, POLLIN, 0});
    const bool open = std::any_of(entries.begin(), entries.end(),
                                  [](const pollfd& entry) { return entry.fd >= 0; });
    if (!open || std::chrono::steady_clock::now() >= end) return false;
    if (poll(entries.data(), entries.size(), 50) <= 0) continue;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].fd < 0 || entries[i].revents == 0) continue;
      char buffer[1 << 14];
      const ssize_t got = read(entries[i].fd, buffer, sizeof(buffer));
      if (got > 0) {
        processes_[i].result.output.append(buffer, static_cast<size_t>(got));
      } else {
        close(processes_[i].pipe);
        processes_[i].pipe = -1;
      }
    }
  }
  return true;
}

bool ForkedWorld::AwaitOutput(const std::string& text, double seconds) {
  const auto printed = [&](const Process& process) {
    return process.result.output.find(text) != std::string::npos;
  };
  return ReadUntil([&] { return std::all_of(processes_.begin(), processes_.end(), printed); },
                   seconds);
}

void ForkedWorld::Kill(int worker) { kill(processes_[worker].pid, SIGKILL); }

std::vector<ForkedWorld::Result> ForkedWorld::Finish(double seconds) {
  ReadUntil([] { return false; }, seconds);
  std::vector<Result> results;
  for (Process& process : processes_) {
    if (process.pipe >= 0) {
      kill(process.pid, SIGKILL);
      process.result.output += "\n(killed: it took too long)\n";
      close(process.pipe);
    }
    waitpid(process.pid, &process.result.status, 0);
    results.push_back(process.result);
  }
  processes_.clear();
  return results;
}

}  // namespace starling
