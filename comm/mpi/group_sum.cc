#include "comm/mpi/group_sum.h"

#include <limits.h>
#include <time.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status.h"

namespace starling {
namespace {

class NativeSum final : public Work {
 public:
  NativeSum(int rank, absl::Span<const int> group, MessageKey key, const ExchangeOptions& options,
            MpiTransport* transport, Recorder* recorder, int64_t number)
      : rank_(rank),
        group_(group.begin(), group.end()),
        key_(key),
        deadline_(options.deadline),
        counts_(options.traffic == Traffic::kTraining),
        transport_(transport),
        recorder_(recorder),
        number_(number) {
    transport_->AddOther(1);
  }

  ~NativeSum() override {
    // MPI cannot cancel a collective; but its members take part in it all the same, or have failed.
    while (!failed_ && !Done()) failed_ = transport_->aborted().has_value();
    transport_->AddOther(-1);
    recorder_->Ended(number_);
  }

  MPI_Request* request() { return &request_; }

  bool Done() override {
    int done = 0;
    MPI_Test(&request_, &done, MPI_STATUS_IGNORE);  // true again once it was
    if (done) recorder_->Ended(number_);
    return done != 0;
  }

  absl::Status Wait() override {
    if (Done()) return absl::OkStatus();
    const Phase before = counts_ ? recorder_->Enter(Phase::kWait) : Phase::kOutside;
    recorder_->WaitBegins([this] { return Missing(); });
    const auto begin = std::chrono::steady_clock::now();
    absl::Status status;
    while (status.ok() && !Done()) {
      const timespec nap{0, 5000};
      nanosleep(&nap, nullptr);
      if (absl::FromChrono(std::chrono::steady_clock::now() - begin) > deadline_) {
        status = absl::DeadlineExceededError(absl::StrCat(
            "worker ", rank_, " waited ", absl::FormatDuration(deadline_), " for ", Missing()));
      } else if (const auto reason = transport_->aborted()) {
        status = absl::AbortedError(*reason);
      }
    }
    recorder_->WaitEnds();
    if (counts_) recorder_->Enter(before);
    failed_ = !status.ok();
    return status;
  }

  absl::Span<const Arrival> arrivals() const override { return {}; }
  std::string Missing() const override {
    return absl::StrCat("the sum ", ToString(key_), " of workers ", absl::StrJoin(group_, ", "));
  }

 private:
  int rank_;
  std::vector<int> group_;
  MessageKey key_;
  absl::Duration deadline_;
  bool counts_;
  MpiTransport* transport_;
  Recorder* recorder_;
  int64_t number_;
  bool failed_ = false;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Work>> MpiGroupSum::Start(absl::Span<const int> group,
                                                         MessageKey key, Buffer values,
                                                         const ExchangeOptions& options,
                                                         Recorder* recorder) {
  if (values.count > INT_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat("all_reduce NATIVE takes at most 2^31 - 1 elements, not ", values.count,
                     "; smaller buckets (train.bucket_mb) or all_reduce TWO_LEVEL do it"));
  }
  const std::vector<int> ranks(group.begin(), group.end());
  auto found = comms_.find(ranks);
  if (found == comms_.end()) {
    MPI_Group world = MPI_GROUP_NULL, members = MPI_GROUP_NULL;
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, static_cast<int>(ranks.size()), ranks.data(), &members);
    MPI_Comm_create_group(MPI_COMM_WORLD, members, /*tag=*/0, &comm);
    MPI_Group_free(&members);
    MPI_Group_free(&world);
    found = comms_.emplace(ranks, comm).first;
  }
  // What MPI really sends is its own affair: a ring's bytes are written down.
  const int64_t members = static_cast<int64_t>(ranks.size());
  std::vector<Send> sends;
  for (int rank : ranks) {
    if (rank == rank_ || members == 1) continue;
    sends.push_back({rank, key, values.Slice(0, 2 * values.count / members)});
  }
  auto work = std::make_unique<NativeSum>(rank_, group, key, options, transport_, recorder,
                                          recorder->Started(sends, {}, options.traffic));
  MPI_Iallreduce(MPI_IN_PLACE, values.data, static_cast<int>(values.count),
                 values.type == DType::kF32 ? MPI_FLOAT : MPI_DOUBLE, MPI_SUM, found->second,
                 work->request());
  return work;
}

}  // namespace starling
