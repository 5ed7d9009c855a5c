// What one worker has been doing: where its steps' time goes, and its latest exchanges. Feeds the
// time split of summary.json, the timeline, the bytes per link, and the page that says who waits
// for whom when a run hangs.
#ifndef COMM_RECORDER_H_
#define COMM_RECORDER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "comm/message.h"
#include "core/clock.h"
#include "core/state.h"

namespace starling {

// The parts of a step. kWait is what communication adds to it: time in which the worker does
// nothing but wait for an exchange. kOutside is everything between steps. With a card it is the
// host's time: most of kBackward is waiting for the card, which computes.
enum class Phase { kOutside, kData, kForward, kBackward, kUpdate, kWait };
inline constexpr int kPhases = 6;

// "outside", "data", "forward", "backward", "update", "wait".
absl::string_view PhaseName(Phase phase);

// Seconds by phase.
using PhaseSeconds = std::array<double, kPhases>;

// One exchange, as a person wants to read about it.
struct ExchangeRecord {
  int64_t number = 0;  // of this worker's exchanges, from 0
  int64_t step = 0;
  MessageKey key;  // of its first message
  Traffic traffic = Traffic::kTraining;
  int first_peer = kAnyone;
  int sends = 0, receives = 0;
  int64_t bytes_out = 0, bytes_in = 0;  // bytes_in: room, which for a short message is more
  double begin_seconds = 0;
  double end_seconds = -1;  // -1: under way
};

class Recorder {
 public:
  // Text with whole events of the timeline, each ending in ",\n" (trace_file.h).
  using TraceSink = std::function<void(std::string events)>;

  // `clock` is not owned.
  Recorder(int worker, int workers, Clock* clock);

  // -- By the worker's own thread.

  // Step `step` begins now. What the last one took is forgotten.
  void BeginStep(int64_t step);

  // The phase that begins now; returns the one that ends.
  Phase Enter(Phase phase);

  // The step that began last; -1 before the first.
  int64_t step() const { return own_step_; }

  // Seconds by phase since BeginStep.
  const PhaseSeconds& step_seconds() const { return seconds_; }

  // From now on `sink` gets the timeline, some events at a time; empty: no longer. Its times are
  // the clock's plus `offset_seconds`.
  void set_trace(TraceSink sink, double offset_seconds = 0);

  // The worker waits from now on; `missing` says for what, as long as it does. It may be called
  // by any thread.
  void WaitBegins(std::function<std::string()> missing);
  void WaitEnds();

  // -- By any thread.

  // An exchange begins; returns its number.
  int64_t Started(absl::Span<const Send> sends, absl::Span<const Receive> receives,
                  Traffic traffic);

  // All of it is done, or it was given up. Again: nothing happens.
  void Ended(int64_t number);

  // Payload bytes sent so far: to everyone, and by destination (training traffic only).
  int64_t bytes_sent(Traffic traffic) const;
  std::vector<int64_t> bytes_by_destination() const;

  // Seconds in which at least one training exchange was under way.
  double communication_seconds() const;

  // The totals above, of training: kept and continued by a run that is resumed. While no exchange
  // is under way.
  absl::Status VisitTotals(StateVisitor* visitor);

  // The latest exchanges, oldest first.
  std::vector<ExchangeRecord> Records() const;

  // Some lines about this worker: what it does or waits for, since when, and its latest
  // `exchanges` exchanges.
  std::string Report(int exchanges) const;

 private:
  static constexpr int64_t kKept = 128;

  void Emit(const std::string& event);

  const int worker_;
  Clock* const clock_;

  // The worker's own thread's.
  int64_t own_step_ = -1;
  PhaseSeconds seconds_{};
  double phase_began_ = 0;

  mutable std::mutex mutex_;
  int64_t step_ = -1;  // guarded, from here on
  Phase phase_ = Phase::kOutside;
  double since_ = 0;                      // of the phase
  std::function<std::string()> missing_;  // empty: does not wait
  double waiting_since_ = 0;
  std::vector<ExchangeRecord> records_;  // a ring: number n at n % kKept
  int64_t started_ = 0;
  int64_t bytes_sent_[2] = {0, 0};
  std::vector<int64_t> bytes_by_destination_;
  int under_way_ = 0;           // training exchanges
  double under_way_since_ = 0;  // since the first of them
  double communication_seconds_ = 0;
  double trace_offset_ = 0;
  TraceSink trace_;
  std::string events_;  // not handed to trace_ yet
};

}  // namespace starling

#endif  // COMM_RECORDER_H_
