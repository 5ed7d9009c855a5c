// Keyed messages over MPI, point to point.
//
// MPI matches messages by an integer tag. A key of moderate numbers (stream below 16, bucket below
// 4096, part below 8) is packed into one, with the lowest 12 bits of its round, and MPI matches
// sends and receives itself: it may write into a receive's buffer as soon as a message comes. A
// message with any other key is announced by a small header with the key, and a large one follows
// under a tag of its own that the header names; small ones travel inside the header.
//
// Progress: Open MPI moves large messages only inside its own calls. While workers compute, a
// thread of the transport makes these calls; a worker that waits makes them itself and is then
// alone, so that nothing is handed from thread to thread.
#ifndef COMM_MPI_TRANSPORT_H_
#define COMM_MPI_TRANSPORT_H_

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "comm/exchanging.h"
#include "comm/message.h"
#include "mpi.h"

namespace starling {

// Thread-safe, but the constructor and destructor are collective. Waiting is for one thread.
class MpiTransport {
 public:
  // Between the processes of `world`, which must support MPI_THREAD_MULTIPLE.
  explicit MpiTransport(MPI_Comm world);

  // After an abort nothing that MPI knows of is freed: it may still be written to.
  ~MpiTransport();

  void Post(const std::shared_ptr<Exchanging>& exchange);
  bool Done(const Exchanging& exchange);
  absl::Status Wait(const Exchanging& exchange);
  std::string Missing(const Exchanging& exchange);

  // Takes back receives that nothing has come for, and waits for what MPI already has of the
  // exchange, a large message that the peer has not taken, say. Past the exchange's deadline the
  // whole transport ends instead, as by Abort.
  void Cancel(const std::shared_ptr<Exchanging>& exchange);

  // `change` more requests of others need progress (of the same MPI; collectives).
  void AddOther(int change);

  // The reason of the abort, if there was one.
  std::optional<std::string> aborted();

  // Ends all waiting, now and later, with ABORTED and the first reason given. MPI is not called
  // any more.
  void Abort(const absl::Status& reason);

 private:
  static constexpr int kHeaders = 16;  // receives for headers that are always posted
  static constexpr int kInlineBytes = 2048;

  struct Header {
    int64_t round, bytes;
    int32_t bucket;
    int32_t tag;  // of what follows; -1: the message is in here
    uint16_t stream, part;
  };
  struct HeaderMessage {
    Header header;
    char payload[kInlineBytes];
  };

  // What a request to MPI is for.
  struct Operation {
    enum Kind { kHeaderReceive, kHeaderSend, kSend, kReceive } kind;
    std::shared_ptr<Exchanging> exchange;    // of kSend and kReceive
    int index = 0;                           // of the message in it; of the header slot
    bool announced = false;                  // of kReceive: its message is on its way
    std::unique_ptr<HeaderMessage> message;  // of kHeaderSend
  };

  // A message that has come before its receive was posted.
  struct Arrived {
    int from;
    std::unique_ptr<HeaderMessage> message;
  };
  struct Waiter {
    std::shared_ptr<Exchanging> exchange;
    int index;
  };

  // All with mutex_ held.
  bool Progress();  // whether a request was done
  void PostHeaderReceive(int slot);
  void PostSend(const std::shared_ptr<Exchanging>& exchange, int index);
  void PostReceive(const std::shared_ptr<Exchanging>& exchange, int index);
  void StartSend(const std::shared_ptr<Exchanging>& exchange, int index, int tag, MPI_Comm comm);
  void StartReceive(const std::shared_ptr<Exchanging>& exchange, int index, int from, int tag,
                    MPI_Comm comm);
  void OnHeader(int from, int slot);
  void Take(const Waiter& waiter, int from, const HeaderMessage& message);
  void Finish(Operation* operation, const MPI_Status& status);
  void Received(const std::shared_ptr<Exchanging>& exchange, int index, int from, int64_t bytes);
  void AllDone(const std::shared_ptr<Exchanging>& exchange);
  void Check(int result, const char* what);
  bool pending() const;
  bool needs_progress() const;  // of the thread
  void WakeProgress();

  void CallCompleted(std::unique_lock<std::mutex>* lock);
  void ProgressLoop();

  MPI_Comm direct_;              // messages whose tag is their key
  MPI_Comm headers_, payloads_;  // the others
  int rank_ = 0;
  std::vector<int32_t> next_tag_;  // by destination
  std::vector<HeaderMessage> slots_;

  std::mutex mutex_;                   // guards all that follows, and serializes the calls of MPI
  std::vector<MPI_Request> requests_;  // the first kHeaders are for headers
  std::vector<Operation> operations_;  // parallel
  std::vector<int> done_indices_;
  std::vector<MPI_Status> done_statuses_;
  std::unordered_map<MessageKey, std::list<Waiter>, MessageKeyHash> receives_;
  std::unordered_map<MessageKey, std::list<Arrived>, MessageKeyHash> arrived_;
  int64_t posted_receives_ = 0;                         // in receives_
  int others_ = 0;                                      // requests that somebody else looks after
  std::vector<std::shared_ptr<Exchanging>> completed_;  // their callers are still to be told
  std::optional<std::string> aborted_;                  // the reason

  std::atomic<int> waiting_{0};  // threads that make progress themselves
  std::condition_variable posted_;
  bool asleep_ = false;  // the thread is, until posted_
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace starling

#endif  // COMM_MPI_TRANSPORT_H_
