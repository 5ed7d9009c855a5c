// A backend of processes, one worker in each, whose exchanges a Dispatcher carries: what backend
// "nccl" is beside CUDA.
#ifndef COMM_NCCL_DISPATCHED_BACKEND_H_
#define COMM_NCCL_DISPATCHED_BACKEND_H_

#include <functional>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "comm/backend.h"
#include "comm/control_channel.h"
#include "comm/nccl/carrier.h"
#include "comm/nccl/dispatcher.h"
#include "comm/nccl/referee.h"
#include "comm/process_group.h"

namespace starling {

class DispatchedBackend final : public Backend {
 public:
  struct Options {
    // Null: workers' vectors lie on the host, and so does all that they exchange. Otherwise the
    // program has a device.
    std::unique_ptr<Carrier> carrier;
    int card = 0;                // of this process
    bool deterministic = false;  // sums of values on cards are two-level, not the carrier's

    // Called when Run ends because a process has died or does not answer; may be empty.
    std::function<void()> lost;
  };

  // Starts the channel, for which all processes have `patience`.
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const Context& context, Options options,
                                                         std::unique_ptr<ControlChannel> channel,
                                                         absl::Duration patience);

  ~DispatchedBackend() override;

  ProcessGroup* processes() override { return group_.get(); }
  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override;

 private:
  class DispatchedCommunicator;

  DispatchedBackend(const Context& context, Options options,
                    std::unique_ptr<ControlChannel> channel);
  absl::Status Start(absl::Duration patience);
  absl::Status RunWorker(const std::function<absl::Status(Communicator*)>& worker);
  absl::Status RunOnCard(const std::function<absl::Status(Communicator*)>& worker);
  absl::Status Finished(const absl::Status& status);
  void Fail(const absl::Status& status);

  const Context context_;
  Options options_;
  std::unique_ptr<ProcessGroup> group_;
  std::unique_ptr<Referee> referee_;  // the lead's
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Communicator> comm_;

  std::mutex mutex_;
  absl::Status failure_;  // of the dispatcher
};

}  // namespace starling

#endif  // COMM_NCCL_DISPATCHED_BACKEND_H_
