// The processes of one run as a group: when one fails or dies, all end, and all know why.
#ifndef COMM_PROCESS_GROUP_H_
#define COMM_PROCESS_GROUP_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "comm/control_channel.h"

namespace starling {

// Thread-safe. In messages a process is called by the workers that it runs: "worker 3".
class ProcessGroup {
 public:
  // After a failure, how long one waits for the others to end too.
  static constexpr absl::Duration kGrace = absl::Seconds(3);

  explicit ProcessGroup(std::unique_ptr<ControlChannel> channel);
  ~ProcessGroup();

  int process() const { return channel_->process(); }
  int processes() const { return channel_->processes(); }

  // Connects all processes; they all call it. `aborted` is called once, by a thread of the group's
  // own or by the caller of Abort, when the group has a reason to end.
  absl::Status Start(std::function<void(const absl::Status& reason)> aborted,
                     absl::Duration patience);

  // Ends the group for this reason, unless it has one already. A process that dies does the same,
  // with UNAVAILABLE and its name.
  void Abort(const absl::Status& reason);

  bool aborted();

  // `failed` is called once when the group gets a reason to end, before anybody is told; at once
  // if it has one. Null: nobody is.
  void WatchFailure(std::function<void()> failed);

  // Whether process 0 has died.
  bool lead_is_lost();

  // The reason to end, or OK.
  absl::Status reason();

  // This process's workers have ended with `own`. Waits until all processes have said so, and
  // returns the same on all: OK, or the error that came first (one that is not ABORTED, if there
  // is one, since the others follow from it). After a failure it waits for kGrace at most.
  absl::Status Finish(const absl::Status& own);

  // Messages for whoever runs on top: between the lead (process 0) and the others. `listener` is
  // called one message at a time; empty: messages are kept until there is one.
  void Listen(std::function<void(int from, const std::string& message)> listener);
  void Tell(int to, absl::string_view message);
  void TellAll(absl::string_view message);

  // The same for the backend itself, beside them.
  void ListenAsBackend(std::function<void(int from, const std::string& message)> listener);
  void TellAsBackend(int to, absl::string_view message);

 private:
  struct Audience {
    void Listen(std::function<void(int, const std::string&)> now);
    void Deliver(int from, std::string message);

    std::mutex mutex;  // held while the listener runs
    std::function<void(int, const std::string&)> listener;
    std::vector<std::pair<int, std::string>> kept;
  };

  void OnMessage(int from, const std::string& message);
  void OnLost(int process, const std::string& who);
  void OnAbort(const absl::Status& reason);
  void OnEnd(int process, const absl::Status& status);

  std::unique_ptr<ControlChannel> channel_;
  std::function<void(const absl::Status&)> aborted_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<absl::Status> reason_;  // to end
  std::vector<bool> ended_;             // by process; elsewhere only: the lead is lost
  std::vector<absl::Status> errors_;    // in order of arrival; the lead's
  std::optional<absl::Status> result_;  // of all
  bool lead_is_lost_ = false;
  absl::Time failed_ = absl::InfiniteFuture();  // when reason_ came

  std::mutex failure_mutex_;  // held while it is called
  std::function<void()> failure_;

  Audience above_, backend_;
};

}  // namespace starling

#endif  // COMM_PROCESS_GROUP_H_
