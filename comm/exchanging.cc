#include "comm/exchanging.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace starling {
namespace {

using SteadyClock = std::chrono::steady_clock;

// When `patience` from now is at an end; max() for never.
SteadyClock::time_point DeadlineAfter(absl::Duration patience) {
  constexpr int64_t kForeverHours = 1 << 20;  // a century, so that the sum cannot overflow
  if (patience >= absl::Hours(kForeverHours)) return SteadyClock::time_point::max();
  return SteadyClock::now() + absl::ToChronoNanoseconds(patience);
}

}  // namespace

std::string Wanted(const Send& send) {
  return absl::StrCat("worker ", send.to, " to take ", ToString(send.key));
}

std::string Wanted(const Receive& receive) {
  return absl::StrCat(receive.from == kAnyone ? "anyone" : absl::StrCat("worker ", receive.from),
                      " to send ", ToString(receive.key));
}

Exchanging::Exchanging(int rank, absl::Span<const Send> sends, absl::Span<const Receive> receives,
                       const ExchangeOptions& options)
    : rank(rank),
      sends(sends.begin(), sends.end()),
      receives(receives.begin(), receives.end()),
      completed(options.completed),
      patience(options.deadline),
      deadline(DeadlineAfter(options.deadline)),
      arrivals(receives.size()),
      sent(sends.size()),
      received(receives.size()),
      open(static_cast<int>(sends.size() + receives.size())) {}

bool Exchanging::Sent(int index) {
  sent[index] = true;
  return --open == 0;
}

bool Exchanging::Received(int index, const Arrival& arrival) {
  received[index] = true;
  arrivals[index] = arrival;
  return --open == 0;
}

void Exchanging::TooLong(int index, int from, int64_t bytes) {
  error =
      absl::StrCat("worker ", rank, " has room for ", receives[index].into.bytes(), " bytes of ",
                   ToString(receives[index].key), ", worker ", from, " sent ", bytes);
}

std::string Exchanging::Missing() const {
  std::vector<std::string> missing;
  for (size_t i = 0; i < receives.size(); ++i) {
    if (!received[i]) missing.push_back(Wanted(receives[i]));
  }
  for (size_t i = 0; i < sends.size(); ++i) {
    if (!sent[i]) missing.push_back(Wanted(sends[i]));
  }
  return absl::StrJoin(missing, "; ");
}

absl::Status Exchanging::Result() const {
  return error.empty() ? absl::OkStatus() : absl::InternalError(error);
}

absl::Status Exchanging::TimedOut() const {
  return absl::DeadlineExceededError(absl::StrCat(
      "worker ", rank, " waited ", absl::FormatDuration(patience), " for ", Missing()));
}

}  // namespace starling
