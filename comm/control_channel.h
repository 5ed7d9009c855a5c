// The control channel: small messages between the processes of one run, beside the training's
// traffic. They arrive while workers compute, nobody waits for them, and a process that dies is
// noticed at once, because the system closes its connection.
//
// A star of TCP connections: process 0 is the lead, the others talk to it alone.
//
//   lead:    Listen(processes)  -> its address(), told to the others by whoever started them
//   others:  Join(address, process)
//   all:     Start(events), Send(...), Close()
//
// The lead listens on a port that the system picks, and takes only who knows the random word in
// its address; or where everybody expects it (ListenAt).
#ifndef COMM_CONTROL_CHANNEL_H_
#define COMM_CONTROL_CHANNEL_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace starling {

class ControlChannel {
 public:
  // Called by the channel's own thread, one at a time. They may Send.
  struct Events {
    std::function<void(int from, std::string message)> message;

    // `process` has gone without Close; `who` names its host and process number in words. The
    // lead hears of everyone, the others of the lead.
    std::function<void(int process, std::string who)> lost;
  };

  // The lead of `processes` processes. Errors are the system's.
  static absl::StatusOr<std::unique_ptr<ControlChannel>> Listen(int processes);

  // As Listen, for processes whom nobody can tell an address, because they know where the lead will
  // be: at `port` (0: any) of the address `host` of this machine, and of no other; Join at
  // KnownAddress. INVALID_ARGUMENT if this machine has no such address, UNAVAILABLE if the port is
  // taken. Whoever can reach the port may join.
  static absl::StatusOr<std::unique_ptr<ControlChannel>> ListenAt(const std::string& host, int port,
                                                                  int processes);

  // What Join needs to reach a lead that listens there. INVALID_ARGUMENT if nobody knows `host`.
  static absl::StatusOr<std::string> KnownAddress(const std::string& host, int port, int processes);

  // Where the lead can be reached, in one line without spaces at its ends.
  const std::string& address() const { return address_; }

  // Process `process` (> 0). UNAVAILABLE if nobody answers at any of the lead's addresses.
  static absl::StatusOr<std::unique_ptr<ControlChannel>> Join(const std::string& address,
                                                              int process, absl::Duration patience);

  // Closes.
  ~ControlChannel();

  int process() const { return process_; }
  int processes() const { return static_cast<int>(peers_.size()); }

  // Begins to deliver. The lead waits for all others to join first: DEADLINE_EXCEEDED names those
  // who have not after `patience`.
  absl::Status Start(Events events, absl::Duration patience);

  // Sends a message to process `to`, or queues what the connection does not take at once; one of
  // both must be the lead. Returns at once, by any thread. A message to a process that has gone is
  // dropped. At most 64 MiB.
  void Send(int to, absl::string_view message);

  // Sends to everyone that this process has a connection to.
  void SendToAll(absl::string_view message);

  // Says farewell after what is queued has been sent (or two seconds have passed), and ends the
  // thread: no event comes afterwards. Must not be called by an event.
  void Close();

 private:
  struct Peer {
    int socket = -1;  // -1: none, or gone
    std::string who;
    std::string in;        // bytes of a message that has not come in whole
    std::string out;       // bytes to be sent
    bool leaving = false;  // has said farewell
  };

  ControlChannel(int process, int processes);

  // A lead that listens at `host`, if empty at all addresses, and sets a port of 0 to the one that
  // the system picks.
  static absl::StatusOr<std::unique_ptr<ControlChannel>> Open(int processes,
                                                              const std::string& host, int* port);
  absl::Status AcceptAll(absl::Duration patience);
  void Loop();
  bool Read(int process);   // false: the connection has ended
  bool Write(int process);  // likewise
  bool Flush(Peer* peer);   // likewise; with mutex_ held
  void Drop(int process);
  void Wake();

  const int process_;
  std::string address_, word_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};  // a pipe: something was queued
  Events events_;
  std::thread thread_;

  std::mutex mutex_;         // guards the peers' `out` and `socket`, and closing_
  std::vector<Peer> peers_;  // by process
  bool closing_ = false;
};

}  // namespace starling

#endif  // COMM_CONTROL_CHANNEL_H_
