// Messages between the processes of one world on one machine, for nccl_on_host.cc.
#ifndef COMM_NCCL_ON_HOST_NETWORK_H_
#define COMM_NCCL_ON_HOST_NETWORK_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace starling::nccl_on_host {

class Network {
 public:
  // Of process `rank` in the world `name`.
  Network(std::string name, int rank, int size);
  ~Network();

  // All of these return false once somebody has given up.

  // Waits until all others are there.
  bool Connect();

  // Messages of one channel between the same two arrive in the order in which they were sent.
  // Sending waits for nobody. A message of another size than expected is a mistake: it ends the
  // process.
  bool Send(int peer, uint64_t channel, const void* data, size_t bytes);
  bool Receive(int peer, uint64_t channel, void* data, size_t bytes);

  void GiveUp();

 private:
  int size() const { return static_cast<int>(to_.size()); }
  void Listen();
  void ReadFrom(int socket);

  const std::string name_;
  const int rank_;
  int listener_ = -1;
  std::vector<int> to_;  // by rank, for sending
  std::thread listening_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool given_up_ = false;
  std::vector<int> from_;  // accepted
  std::vector<std::thread> reading_;
  std::map<std::pair<int, uint64_t>, std::deque<std::string>> arrived_;
};

}  // namespace starling::nccl_on_host

#endif  // COMM_NCCL_ON_HOST_NETWORK_H_
