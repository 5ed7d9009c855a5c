#include "experiments/time_ledger.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/status.h"

namespace starling {
namespace {

// The value below which `share` of the sorted values lie (nearest rank).
double Percentile(std::vector<float> values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto nth = values.begin() + std::max<int64_t>(0, rank - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

double WaitOf(const PhaseSeconds& phases) { return phases[static_cast<int>(Phase::kWait)]; }

double ComputeOf(const PhaseSeconds& phases) {
  return std::accumulate(phases.begin(), phases.end(), 0.0) - WaitOf(phases) -
         phases[static_cast<int>(Phase::kOutside)];
}

}  // namespace

void TimeLedger::AddStep(int worker, const PhaseSeconds& phases) {
  for (int phase = 0; phase < kPhases; ++phase) phases_[worker][phase] += phases[phase];
}

void TimeLedger::EndStep(double seconds) { step_ms_.push_back(static_cast<float>(seconds * 1e3)); }

absl::Status TimeLedger::VisitState(StateVisitor* visitor) {
  RETURN_IF_ERROR(VisitVector("phase_seconds", &phases_, visitor));
  return VisitVector("step_ms", &step_ms_, visitor);
}

TimeSplit TimeLedger::Split() const {
  TimeSplit split;
  const double steps = std::max<double>(1, static_cast<double>(step_ms_.size()));
  const int workers = static_cast<int>(phases_.size());
  split.step_ms = step_ms_;
  split.step_ms_mean = std::accumulate(step_ms_.begin(), step_ms_.end(), 0.0) / steps;
  split.step_ms_p50 = Percentile(step_ms_, 0.5);
  split.step_ms_p99 = Percentile(step_ms_, 0.99);
  double waiting = 0, communicating = 0;
  for (int worker = 0; worker < workers; ++worker) {
    PhaseSeconds ms{};
    for (int phase = 0; phase < kPhases; ++phase) {
      ms[phase] = phases_[worker][phase] * 1e3 / steps;
      split.phase_ms[phase] += ms[phase] / workers;
    }
    split.worker_phase_ms.push_back(ms);
    waiting += WaitOf(phases_[worker]);
    communicating += totals_[worker].communication_seconds;
    const auto& bytes = totals_[worker].bytes_by_destination;
    for (int to = 0; to < static_cast<int>(bytes.size()); ++to) {
      if (bytes[to] > 0) split.links.push_back({worker, to, bytes[to]});
    }
  }
  split.exposed_comm_ms = WaitOf(split.phase_ms);
  split.overlap_fraction =
      communicating > 0 ? std::clamp(1 - waiting / communicating, 0.0, 1.0) : NAN;

  std::vector<float> compute;
  for (const PhaseSeconds& ms : split.worker_phase_ms)
    compute.push_back(static_cast<float>(ComputeOf(ms)));
  const auto slowest = std::max_element(compute.begin(), compute.end());
  split.slowest.worker = static_cast<int>(slowest - compute.begin());
  split.slowest.compute_ms = *slowest;
  split.slowest.median_compute_ms = Percentile(compute, 0.5);
  if (workers > 1) {
    const double own = WaitOf(split.worker_phase_ms[split.slowest.worker]);
    const double others = (split.exposed_comm_ms * workers - own) / (workers - 1);
    split.slowest.others_wait_ms = std::max(0.0, others - own);
  }
  return split;
}

}  // namespace starling
