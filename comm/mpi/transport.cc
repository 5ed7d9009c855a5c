#include "comm/mpi/transport.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "comm/mpi/envelope.h"
#include "glog/logging.h"

namespace starling {
namespace {

// Asking MPI takes a microsecond, waking up to do so twenty: every nap takes that from who computes
// on the same core. A thread that waits only yields while messages are moving, and takes short naps
// when none has moved for a millisecond (in which 8 MiB are copied between processes); the one that
// makes progress while its worker computes naps the longer, the longer nothing has happened.
constexpr auto kYielding = std::chrono::milliseconds(1);
constexpr int kAsksPerYield = 8;
constexpr int64_t kNap = 20'000;                  // nanoseconds
constexpr int64_t kShortestProgressNap = 50'000;  // while others compute
constexpr int64_t kLongestProgressNap = 500'000;

void Nap(int64_t nanoseconds) {
  const timespec nap{0, nanoseconds};
  nanosleep(&nap, nullptr);
}

// Lets others run between two turns of asking MPI.
class Pause {
 public:
  void Take(bool moved) {
    const auto now = std::chrono::steady_clock::now();
    if (moved) last_move_ = now;
    if (now - last_move_ < kYielding) {
      sched_yield();
    } else {
      Nap(kNap);
    }
  }

 private:
  std::chrono::steady_clock::time_point last_move_ = std::chrono::steady_clock::now();
};

}  // namespace

MpiTransport::MpiTransport(MPI_Comm world)
    : slots_(kHeaders), requests_(kHeaders), operations_(kHeaders) {
  for (MPI_Comm* comm : {&direct_, &headers_, &payloads_}) {
    MPI_Comm_dup(world, comm);
    MPI_Comm_set_errhandler(*comm, MPI_ERRORS_RETURN);
  }
  int size = 0;
  MPI_Comm_rank(world, &rank_);
  MPI_Comm_size(world, &size);
  next_tag_.resize(size);
  for (int slot = 0; slot < kHeaders; ++slot) PostHeaderReceive(slot);
  thread_ = std::thread([this] { ProgressLoop(); });
}

MpiTransport::~MpiTransport() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    posted_.notify_all();
  }
  thread_.join();
  if (aborted_) {
    // MPI may still write to these: they live as long as the process.
    new auto(std::move(slots_));
    new auto(std::move(operations_));
    return;
  }
  // Nobody sends any more once everyone is here.
  MPI_Barrier(headers_);
  for (int slot = 0; slot < kHeaders; ++slot) {
    MPI_Cancel(&requests_[slot]);
    MPI_Wait(&requests_[slot], MPI_STATUS_IGNORE);
  }
  for (MPI_Comm* comm : {&direct_, &headers_, &payloads_}) MPI_Comm_free(comm);
}

void MpiTransport::Check(int result, const char* what) {
  if (result == MPI_SUCCESS || aborted_) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(result, text, &length);
  aborted_ = absl::StrCat("worker ", rank_, ": ", what, " failed: ", text);
}

void MpiTransport::PostHeaderReceive(int slot) {
  operations_[slot].kind = Operation::kHeaderReceive;
  operations_[slot].index = slot;
  Check(MPI_Irecv(&slots_[slot], sizeof(HeaderMessage), MPI_BYTE, MPI_ANY_SOURCE, 0, headers_,
                  &requests_[slot]),
        "MPI_Irecv");
}

bool MpiTransport::pending() const {
  return requests_.size() > kHeaders || posted_receives_ > 0 || others_ > 0;
}

void MpiTransport::Post(const std::shared_ptr<Exchanging>& exchange) {
  std::unique_lock<std::mutex> lock(mutex_);
  // Sends first: MPI may copy a large message that has come already within the call that asks for
  // it, and the peer would wait for ours that long.
  for (size_t i = 0; i < exchange->sends.size(); ++i) PostSend(exchange, static_cast<int>(i));
  for (size_t i = 0; i < exchange->receives.size(); ++i) PostReceive(exchange, static_cast<int>(i));
  exchange->posting = false;
  WakeProgress();
}

void MpiTransport::PostSend(const std::shared_ptr<Exchanging>& exchange, int index) {
  if (aborted_) return;
  const Send& send = exchange->sends[index];
  if (const std::optional<int> tag = DirectTag(send.key)) {
    return StartSend(exchange, index, *tag, direct_);
  }
  const int64_t bytes = send.data.bytes();
  auto message = std::make_unique<HeaderMessage>();
  message->header = {send.key.round, bytes, send.key.bucket, -1, send.key.stream, send.key.part};
  const bool fits = bytes <= kInlineBytes;
  if (fits && bytes > 0) std::memcpy(message->payload, send.data.data, bytes);
  if (!fits) {
    message->header.tag = next_tag_[send.to];
    next_tag_[send.to] = (next_tag_[send.to] + 1) & 0x7fffffff;
  }
  Operation header;
  header.kind = Operation::kHeaderSend;
  header.message = std::move(message);
  requests_.emplace_back();
  Check(MPI_Isend(header.message.get(), static_cast<int>(sizeof(Header) + (fits ? bytes : 0)),
                  MPI_BYTE, send.to, 0, headers_, &requests_.back()),
        "MPI_Isend");
  const int32_t tag = header.message->header.tag;
  operations_.push_back(std::move(header));
  if (fits) {
    if (exchange->Sent(index)) AllDone(exchange);
    return;
  }
  StartSend(exchange, index, tag, payloads_);
}

void MpiTransport::StartSend(const std::shared_ptr<Exchanging>& exchange, int index, int tag,
                             MPI_Comm comm) {
  const Send& send = exchange->sends[index];
  const MpiBytes bytes(send.data.bytes());
  Operation operation;
  operation.kind = Operation::kSend;
  operation.exchange = exchange;
  operation.index = index;
  requests_.emplace_back();
  Check(
      MPI_Isend(send.data.data, bytes.count(), bytes.type(), send.to, tag, comm, &requests_.back()),
      "MPI_Isend");
  operations_.push_back(std::move(operation));
  ++exchange->busy;
}

void MpiTransport::PostReceive(const std::shared_ptr<Exchanging>& exchange, int index) {
  const Receive& receive = exchange->receives[index];
  if (const std::optional<int> tag = DirectTag(receive.key)) {
    if (aborted_) return;
    const int from = receive.from == kAnyone ? MPI_ANY_SOURCE : receive.from;
    return StartReceive(exchange, index, from, *tag, direct_);
  }
  if (const auto found = arrived_.find(receive.key); found != arrived_.end()) {
    std::list<Arrived>& messages = found->second;
    const auto match = std::find_if(messages.begin(), messages.end(), [&](const Arrived& arrived) {
      return receive.from == kAnyone || receive.from == arrived.from;
    });
    if (match != messages.end()) {
      const Arrived arrived = std::move(*match);
      messages.erase(match);
      if (messages.empty()) arrived_.erase(found);
      Take({exchange, index}, arrived.from, *arrived.message);
      return;
    }
  }
  receives_[receive.key].push_back({exchange, index});
  ++posted_receives_;
}

void MpiTransport::OnHeader(int from, int slot) {
  const HeaderMessage& message = slots_[slot];
  const MessageKey key{message.header.stream, message.header.round, message.header.bucket,
                       message.header.part};
  if (const auto found = receives_.find(key); found != receives_.end()) {
    std::list<Waiter>& waiters = found->second;
    const auto match = std::find_if(waiters.begin(), waiters.end(), [&](const Waiter& waiter) {
      const int wanted = waiter.exchange->receives[waiter.index].from;
      return wanted == kAnyone || wanted == from;
    });
    if (match != waiters.end()) {
      const Waiter waiter = *match;
      waiters.erase(match);
      if (waiters.empty()) receives_.erase(found);
      --posted_receives_;
      Take(waiter, from, message);
      return;
    }
  }
  arrived_[key].push_back({from, std::make_unique<HeaderMessage>(message)});
}

void MpiTransport::Take(const Waiter& waiter, int from, const HeaderMessage& message) {
  const Header& header = message.header;
  if (header.tag >= 0) {
    StartReceive(waiter.exchange, waiter.index, from, header.tag, payloads_);
    operations_.back().announced = true;
    return;
  }
  const Buffer& into = waiter.exchange->receives[waiter.index].into;
  const int64_t bytes = std::min(header.bytes, into.bytes());
  if (bytes > 0) std::memcpy(into.data, message.payload, bytes);
  Received(waiter.exchange, waiter.index, from, header.bytes);
}

void MpiTransport::StartReceive(const std::shared_ptr<Exchanging>& exchange, int index, int from,
                                int tag, MPI_Comm comm) {
  const Buffer& into = exchange->receives[index].into;
  const MpiBytes bytes(into.bytes());
  Operation operation;
  operation.kind = Operation::kReceive;
  operation.exchange = exchange;
  operation.index = index;
  requests_.emplace_back();
  Check(MPI_Irecv(into.data, bytes.count(), bytes.type(), from, tag, comm, &requests_.back()),
        "MPI_Irecv");
  operations_.push_back(std::move(operation));
  ++exchange->busy;
}

void MpiTransport::Received(const std::shared_ptr<Exchanging>& exchange, int index, int from,
                            int64_t bytes) {
  const Buffer& into = exchange->receives[index].into;
  if (bytes > into.bytes()) exchange->TooLong(index, from, bytes);
  if (exchange->Received(index, {from, bytes / SizeOf(into.type)})) AllDone(exchange);
}

void MpiTransport::AllDone(const std::shared_ptr<Exchanging>& exchange) {
  if (!exchange->completed || exchange->posting || exchange->cancelled) return;
  ++exchange->busy;
  completed_.push_back(exchange);
}

void MpiTransport::Finish(Operation* operation, const MPI_Status& status) {
  if (operation->kind != Operation::kSend && operation->kind != Operation::kReceive) return;
  const auto& exchange = operation->exchange;
  --exchange->busy;
  if (operation->kind == Operation::kSend) {
    if (exchange->Sent(operation->index)) AllDone(exchange);
    return;
  }
  int cancelled = 0;
  MPI_Test_cancelled(&status, &cancelled);
  if (cancelled) return;
  MPI_Count bytes = 0;  // as sent, also if there was less room
  MPI_Get_elements_x(&status, MPI_BYTE, &bytes);
  Received(exchange, operation->index, status.MPI_SOURCE, bytes);
}

bool MpiTransport::Progress() {
  if (aborted_) return false;
  const int count = static_cast<int>(requests_.size());
  done_indices_.resize(count);
  done_statuses_.resize(count);
  int done = 0;
  const int result =
      MPI_Testsome(count, requests_.data(), &done, done_indices_.data(), done_statuses_.data());
  if (result != MPI_ERR_IN_STATUS) {
    Check(result, "MPI_Testsome");
  } else {
    for (int i = 0; i < done; ++i) {
      const int error = done_statuses_[i].MPI_ERROR;
      if (error != MPI_ERR_TRUNCATE) Check(error, "a message");  // too long: see Received
    }
  }
  if (aborted_ || done == MPI_UNDEFINED || done == 0) return false;
  // First the headers: they may add requests at the end, but move none.
  for (int i = 0; i < done; ++i) {
    const int at = done_indices_[i];
    if (at >= kHeaders) continue;
    OnHeader(done_statuses_[i].MPI_SOURCE, at);
    PostHeaderReceive(at);
  }
  for (int i = 0; i < done; ++i) {
    const int at = done_indices_[i];
    if (at >= kHeaders) Finish(&operations_[at], done_statuses_[i]);
  }
  size_t kept = kHeaders;
  for (size_t at = kHeaders; at < requests_.size(); ++at) {
    if (requests_[at] == MPI_REQUEST_NULL) continue;
    requests_[kept] = requests_[at];
    if (kept < at) operations_[kept] = std::move(operations_[at]);
    ++kept;
  }
  requests_.resize(kept);
  operations_.resize(kept);
  return true;
}

void MpiTransport::CallCompleted(std::unique_lock<std::mutex>* lock) {
  while (!completed_.empty()) {
    const std::shared_ptr<Exchanging> exchange = std::move(completed_.back());
    completed_.pop_back();
    lock->unlock();  // `busy` keeps the exchange
    exchange->completed();
    lock->lock();
    --exchange->busy;
  }
}

bool MpiTransport::Done(const Exchanging& exchange) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (exchange.open > 0) {
    Progress();
    CallCompleted(&lock);
  }
  return exchange.open == 0 || aborted_.has_value();
}

absl::Status MpiTransport::Wait(const Exchanging& exchange) {
  ++waiting_;
  Pause pause;
  std::unique_lock<std::mutex> lock(mutex_);
  while (exchange.open > 0 && !aborted_) {
    bool moved = false;
    for (int i = 0; i < kAsksPerYield && exchange.open > 0; ++i) moved = Progress() || moved;
    CallCompleted(&lock);
    if (exchange.open == 0 || aborted_ || exchange.overdue()) break;
    lock.unlock();
    pause.Take(moved);
    lock.lock();
  }
  --waiting_;
  WakeProgress();
  if (exchange.open == 0) return exchange.Result();
  if (aborted_) return absl::AbortedError(*aborted_);
  return exchange.TimedOut();
}

std::string MpiTransport::Missing(const Exchanging& exchange) {
  std::lock_guard<std::mutex> lock(mutex_);
  return exchange.Missing();
}

void MpiTransport::Cancel(const std::shared_ptr<Exchanging>& exchange) {
  Pause pause;
  std::unique_lock<std::mutex> lock(mutex_);
  exchange->cancelled = true;
  if (exchange->open > 0) {
    for (size_t i = kHeaders; i < operations_.size() && !aborted_; ++i) {
      const Operation& operation = operations_[i];
      if (operation.exchange == exchange && operation.kind == Operation::kReceive &&
          !operation.announced) {
        MPI_Cancel(&requests_[i]);  // in vain if its message is on its way
      }
    }
    for (const Receive& receive : exchange->receives) {
      const auto found = receives_.find(receive.key);
      if (found == receives_.end()) continue;
      posted_receives_ -= static_cast<int64_t>(found->second.size());
      found->second.remove_if([&](const Waiter& waiter) { return waiter.exchange == exchange; });
      posted_receives_ += static_cast<int64_t>(found->second.size());
      if (found->second.empty()) receives_.erase(found);
    }
  }
  while (exchange->busy > 0 && !aborted_) {
    const bool moved = Progress();
    CallCompleted(&lock);
    if (exchange->busy == 0) break;
    // The buffers go, so MPI must not be called any more.
    if (exchange->overdue()) aborted_ = std::string(exchange->TimedOut().message());
    lock.unlock();
    pause.Take(moved);
    lock.lock();
  }
}

void MpiTransport::AddOther(int change) {
  std::lock_guard<std::mutex> lock(mutex_);
  others_ += change;
  WakeProgress();
}

std::optional<std::string> MpiTransport::aborted() {
  std::lock_guard<std::mutex> lock(mutex_);
  return aborted_;
}

void MpiTransport::Abort(const absl::Status& reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!aborted_) aborted_ = std::string(reason.message());
}

bool MpiTransport::needs_progress() const { return waiting_ == 0 && pending() && !aborted_; }

void MpiTransport::WakeProgress() {
  if (asleep_ && needs_progress()) posted_.notify_all();
}

void MpiTransport::ProgressLoop() {
  prctl(PR_SET_TIMERSLACK, 1000);  // of sleeping: 1 us instead of 50
  int64_t nap = kShortestProgressNap;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    if (needs_progress()) {
      nap = Progress() ? kShortestProgressNap : std::min(2 * nap, kLongestProgressNap);
      CallCompleted(&lock);
    } else if (nap < kLongestProgressNap) {
      nap *= 2;  // a worker that exchanges again and again need not wake this thread each time
    } else {
      asleep_ = true;
      posted_.wait(lock, [this] { return stop_ || needs_progress(); });
      asleep_ = false;
      nap = kShortestProgressNap;
      continue;
    }
    lock.unlock();
    Nap(nap);
    // Who waits makes progress himself: queueing for his lock would make every unlocking of it a
    // call of the kernel.
    while (waiting_ > 0 || !lock.try_lock()) {
      nap = std::min(2 * nap, kLongestProgressNap);
      Nap(nap);
    }
  }
}

}  // namespace starling
