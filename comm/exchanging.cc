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
    if (received[i]) continue;
    const int from = receives[i].from;
    missing.push_back(absl::StrCat(from == kAnyone ? "anyone" : absl::StrCat("worker ", from),
                                   " to send ", ToString(receives[i].key)));
  }
  for (size_t i = 0; i < sends.size(); ++i) {
    if (sent[i]) continue;
    missing.push_back(absl::StrCat("worker ", sends[i].to, " to take ", ToString(sends[i].key)));
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
