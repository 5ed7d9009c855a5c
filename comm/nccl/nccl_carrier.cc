#include "comm/nccl/nccl_carrier.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "comm/nccl/queue_carrier.h"
#include "core/device/device.h"
#include "core/status.h"
#include "nccl.h"

namespace starling {
namespace {

// How long NCCL may take to connect workers.
const absl::Duration kConnectPatience = absl::Minutes(2);

// A peer that dies is first missed by NCCL, which cannot say who it was. The control channel can.
const absl::Duration kNamingPatience = absl::Seconds(2);

const absl::Duration kClosePatience = absl::Seconds(5);

absl::Status Stopped() { return absl::CancelledError("the run was aborted"); }

cudaStream_t StreamOf(const OwnedQueue& queue) {
  return reinterpret_cast<cudaStream_t>(queue.get());
}

absl::StatusOr<ncclDataType_t> TypeOf(DType type) {
  switch (type) {
    case DType::kF32:
      return ncclFloat32;
    case DType::kF64:
      return ncclFloat64;
    case DType::kF16:
      return ncclFloat16;
    case DType::kBF16:
      return ncclBfloat16;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("sums are of floating-point numbers, not of ", DTypeName(type)));
  }
}

class NcclCarrier final : public QueueCarrier {
 public:
  NcclCarrier(int rank, int size, int card, OwnedQueue copies)
      : QueueCarrier(card), rank_(rank), size_(size), copies_(std::move(copies)) {}

  void Stop() override { stopped_ = true; }

  absl::StatusOr<std::string> NewWorld() override {
    ncclUniqueId id;
    const ncclResult_t result = ncclGetUniqueId(&id);
    if (result != ncclSuccess) return Failure("ncclGetUniqueId", result, nullptr);
    return std::string(id.internal, sizeof(id.internal));
  }

  absl::Status Join(const std::string& world) override {
    ncclUniqueId id;
    if (world.size() != sizeof(id.internal)) {
      return absl::InternalError("the workers' versions of NCCL differ");
    }
    std::memcpy(id.internal, world.data(), world.size());
    ncclConfig_t config = Config();
    const ncclResult_t result = ncclCommInitRankConfig(&first_, size_, id, rank_, &config);
    return Await(first_, result, "ncclCommInitRankConfig", kConnectPatience);
  }

  absl::Status Make(const std::vector<int>& members) override {
    ASSIGN_OR_RETURN(OwnedQueue queue, OwnedQueue::New());
    made_.push_back({nullptr, std::move(queue)});
    const bool takes_part = std::binary_search(members.begin(), members.end(), rank_);
    ncclConfig_t config = Config();
    ncclComm_t* const made = &made_.back().comm;
    const ncclResult_t result =
        ncclCommSplit(first_, takes_part ? 0 : NCCL_SPLIT_NOCOLOR, rank_, made, &config);
    // NCCL sets it when the communicator that it splits is ready again.
    RETURN_IF_ERROR(Await(first_, result, "ncclCommSplit", kConnectPatience));
    if (*made == nullptr) return absl::OkStatus();
    return Await(*made, ncclInProgress, "ncclCommSplit", kConnectPatience);
  }

  absl::StatusOr<PointPtr> Move(int communicator, absl::Span<const Piece> sends,
                                absl::Span<const Piece> receives) override {
    const Made& made = made_[communicator];
    const cudaStream_t stream = StreamOf(made.queue);
    HoldBackFor(sends, made.queue.get());
    HoldBackFor(receives, made.queue.get());
    ncclResult_t result = ncclGroupStart();
    const auto note = [&](ncclResult_t one) {
      if (result == ncclSuccess || result == ncclInProgress) result = one;
    };
    for (const Piece& piece : sends) {
      note(ncclSend(piece.data.data, static_cast<size_t>(piece.data.bytes()), ncclUint8, piece.peer,
                    made.comm, stream));
    }
    for (const Piece& piece : receives) {
      note(ncclRecv(piece.data.data, static_cast<size_t>(piece.data.bytes()), ncclUint8, piece.peer,
                    made.comm, stream));
    }
    note(ncclGroupEnd());
    RETURN_IF_ERROR(Await(made.comm, result, "a message", kConnectPatience));
    return PointAfter(made.queue.get());
  }

  absl::StatusOr<PointPtr> Copy(const Piece& from, const Piece& to) override {
    HoldBackFor({from, to}, copies_.get());
    LinkedDevice()->Copy(from.data.data, to.data.data, from.data.bytes(), copies_.get());
    return PointAfter(copies_.get());
  }

  absl::StatusOr<PointPtr> Sum(int communicator, const Piece& values) override {
    const Made& made = made_[communicator];
    ASSIGN_OR_RETURN(const ncclDataType_t type, TypeOf(values.data.type));
    HoldBackFor({values}, made.queue.get());
    const ncclResult_t result =
        ncclAllReduce(values.data.data, values.data.data, static_cast<size_t>(values.data.count),
                      type, ncclSum, made.comm, StreamOf(made.queue));
    RETURN_IF_ERROR(Await(made.comm, result, "ncclAllReduce", kConnectPatience));
    return PointAfter(made.queue.get());
  }

  absl::Status Check() override {
    absl::Status status = CheckOne(first_);
    for (const Made& made : made_) status.Update(CheckOne(made.comm));
    const auto now = std::chrono::steady_clock::now();
    if (status.ok()) {
      failing_since_ = now;
    } else if (absl::FromChrono(now - failing_since_) < kNamingPatience) {
      return absl::OkStatus();
    }
    return status;
  }

  void Close() override {
    for (Made& made : made_) CloseOne(made.comm);
    CloseOne(first_);
    Forget();
  }

  void Abort() override {
    const bool splits = !made_.empty() && made_.back().comm == nullptr;
    for (Made& made : made_) AbortOne(made.comm);
    AbortOne(first_);  // joins what it was splitting off
    if (splits) AbortOne(made_.back().comm);
    Forget();
  }

 private:
  struct Made {
    ncclComm_t comm;  // null: this worker is no member
    OwnedQueue queue;
  };

  static ncclConfig_t Config() {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    return config;
  }

  static absl::Status Failure(absl::string_view what, ncclResult_t result, ncclComm_t comm) {
    return absl::InternalError(absl::StrCat("NCCL: ", what, ": ", ncclGetErrorString(result), " (",
                                            ncclGetLastError(comm), ")"));
  }

  // Waits until `comm` has done what a call, which returned `result`, began.
  absl::Status Await(ncclComm_t comm, ncclResult_t result, absl::string_view what,
                     absl::Duration patience) {
    const auto begin = std::chrono::steady_clock::now();
    const auto waited = [&] { return absl::FromChrono(std::chrono::steady_clock::now() - begin); };
    while (result == ncclInProgress) {
      if (stopped_) return Stopped();
      if (waited() > patience) {
        return absl::DeadlineExceededError(
            absl::StrCat("NCCL: ", what, ": the workers were not connected within ",
                         absl::FormatDuration(patience),
                         "; NCCL_DEBUG=INFO tells what it tries, NCCL_SOCKET_IFNAME names the "
                         "network to use"));
      }
      Nap();
      const ncclResult_t asked = ncclCommGetAsyncError(comm, &result);
      if (asked != ncclSuccess) result = asked;
    }
    if (result == ncclSuccess) return absl::OkStatus();
    const absl::Status failure = Failure(what, result, comm);
    const auto failed = std::chrono::steady_clock::now();
    while (absl::FromChrono(std::chrono::steady_clock::now() - failed) < kNamingPatience) {
      if (stopped_) return Stopped();
      Nap();
    }
    return failure;
  }

  static void Nap() {
    const timespec nap{0, 20'000};
    nanosleep(&nap, nullptr);
  }

  static absl::Status CheckOne(ncclComm_t comm) {
    if (comm == nullptr) return absl::OkStatus();
    ncclResult_t result = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm, &result);
    if (asked != ncclSuccess) result = asked;
    if (result == ncclSuccess || result == ncclInProgress) return absl::OkStatus();
    return Failure("on the way", result, comm);
  }

  void CloseOne(ncclComm_t comm) {
    if (comm == nullptr) return;
    const absl::Status finalized =
        Await(comm, ncclCommFinalize(comm), "ncclCommFinalize", kClosePatience);
    if (finalized.ok()) {
      ncclCommDestroy(comm);
    } else {
      ncclCommAbort(comm);
    }
  }

  static void AbortOne(ncclComm_t comm) {
    if (comm != nullptr) ncclCommAbort(comm);
  }

  void Forget() {
    made_.clear();
    first_ = nullptr;
  }

  const int rank_, size_;
  OwnedQueue copies_;  // messages to oneself
  ncclComm_t first_ = nullptr;
  std::vector<Made> made_;
  std::chrono::steady_clock::time_point failing_since_ = std::chrono::steady_clock::now();
  std::atomic<bool> stopped_{false};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Carrier>> MakeNcclCarrier(int rank, int size, int card) {
  RETURN_IF_ERROR(LinkedDevice()->UseCard(card));
  ASSIGN_OR_RETURN(OwnedQueue copies, OwnedQueue::New());
  return std::make_unique<NcclCarrier>(rank, size, card, std::move(copies));
}

}  // namespace starling
