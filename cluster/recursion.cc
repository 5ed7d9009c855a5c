#include "cluster/recursion.h"

#include <algorithm>
#include <numeric>

#include "glog/logging.h"

namespace starling {
namespace {

using Launch = ExchangePlan::Launch;
using Needed = ExchangePlan::Needed;

constexpr int kSampledWorkers = 64;

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double Percentile(double share, std::vector<double>* values) {
  const auto at = values->begin() + static_cast<int64_t>(share * (values->size() - 1));
  std::nth_element(values->begin(), at, values->end());
  return *at;
}

class Recursion {
 public:
  Recursion(const StepWork& work, const ExchangePlan& plan, const std::vector<RoundCosts>& rounds,
            const Passes& passes)
      : work_(work),
        plan_(plan),
        rounds_(rounds),
        passes_(passes),
        workers_(passes.persistent.size()),
        buckets_(work.mb.size()),
        start_(workers_, 0.0),
        now_(workers_, 0.0),
        free_(workers_, 0.0),
        ready_(workers_, 0.0) {
    ends_.assign((plan.needed_steps_later + 1) * buckets_ * workers_, 0.0);
  }

  void Step(int64_t step) {
    const bool exchanges = plan_.launch != Launch::kNever && Exchanges(step);
    const bool waits = plan_.needed != Needed::kNever && step >= plan_.needed_steps_later &&
                       Exchanges(step - plan_.needed_steps_later);
    if (exchanges && plan_.launch == Launch::kStepBegin) {
      for (size_t b = 0; b < buckets_; ++b) Exchange(step, b, &start_);
    }
    const double* factor =
        passes_.steps > 0 ? &passes_.factor[step * workers_] : passes_.persistent.data();
    for (size_t i = 0; i < workers_; ++i) now_[i] = start_[i] + factor[i] * work_.forward_ms;
    if (passes_.steps > 0) {
      const double* stall = &passes_.stall_ms[step * workers_];
      for (size_t i = 0; i < workers_; ++i) now_[i] += stall[i];
    }
    for (size_t b = 0; b < buckets_; ++b) {
      const double backward = work_.backward_ms[b];
      const double update = plan_.gradients ? 0 : work_.update_ms[b];
      if (waits && plan_.needed == Needed::kBucketReady) {
        const double* end = EndsOf(step - plan_.needed_steps_later, b);
        for (size_t i = 0; i < workers_; ++i) {
          now_[i] = std::max(now_[i] + factor[i] * backward, end[i]) + update;
        }
      } else {
        for (size_t i = 0; i < workers_; ++i) now_[i] += factor[i] * backward + update;
      }
      if (exchanges && plan_.launch == Launch::kBucketReady) Exchange(step, b, &now_);
    }
    if (exchanges && plan_.launch == Launch::kStepEnd) {
      for (size_t b = 0; b < buckets_; ++b) Exchange(step, b, &now_);
    }
    if (waits && plan_.needed == Needed::kStepEnd) {
      // The last bucket's ends last.
      const double* end = EndsOf(step - plan_.needed_steps_later, buckets_ - 1);
      for (size_t i = 0; i < workers_; ++i) now_[i] = std::max(now_[i], end[i]);
    }
    if (plan_.gradients) {
      const double update = work_.total_update_ms();
      for (size_t i = 0; i < workers_; ++i) now_[i] += update;
    }
    start_.swap(now_);  // now_ is what start_ was
  }

  double latest() const { return *std::max_element(start_.begin(), start_.end()); }
  double last_step_ms(size_t worker) const { return start_[worker] - now_[worker]; }

 private:
  bool Exchanges(int64_t step) const { return (step + 1) % plan_.exchange_every == 0; }

  double* EndsOf(int64_t step, size_t bucket) {
    const int64_t slot = step % (plan_.needed_steps_later + 1);
    return &ends_[(slot * buckets_ + bucket) * workers_];
  }

  // Starts at `*time`, which becomes its end if the plan does not overlap.
  void Exchange(int64_t step, size_t bucket, std::vector<double>* time) {
    const RoundCosts& round =
        rounds_[(step + 1) / plan_.exchange_every % static_cast<int64_t>(rounds_.size())];
    for (size_t i = 0; i < workers_; ++i) ready_[i] = std::max((*time)[i], free_[i]);
    double* end = EndsOf(step, bucket);
    const double mb = work_.mb[bucket];
    for (size_t e = 0; e + 1 < round.begin.size(); ++e) {
      double latest = 0;
      for (int m = round.begin[e]; m < round.begin[e + 1]; ++m) {
        latest = std::max(latest, ready_[round.members[m]]);
      }
      latest += round.cost[e].Ms(mb);
      if (round.groups) {
        for (int m = round.begin[e]; m < round.begin[e + 1]; ++m) end[round.members[m]] = latest;
      } else {
        end[e] = latest;
      }
    }
    std::copy(end, end + workers_, free_.begin());
    if (!plan_.overlap) std::copy(end, end + workers_, time->begin());
  }

  const StepWork& work_;
  const ExchangePlan& plan_;
  const std::vector<RoundCosts>& rounds_;
  const Passes& passes_;
  const size_t workers_, buckets_;
  std::vector<double> start_, now_, free_;
  std::vector<double> ready_;  // reused
  std::vector<double> ends_;   // by step modulo needed_steps_later + 1, bucket, worker
};

}  // namespace

Passes DrawPasses(const ComputeTimes& times, int workers, int64_t steps) {
  Passes passes;
  for (int i = 0; i < workers; ++i) passes.persistent.push_back(times.persistent(i));
  if (!times.random()) return passes;
  passes.steps = steps;
  passes.factor.resize(steps * workers);
  passes.stall_ms.resize(steps * workers);
  for (int64_t t = 0; t < steps; ++t) {
    for (int i = 0; i < workers; ++i) {
      const ComputeTimes::Pass pass = times.At(i, t);
      passes.factor[t * workers + i] = pass.factor;
      passes.stall_ms[t * workers + i] = pass.stall_ms;
    }
  }
  return passes;
}

double StepWork::compute_ms() const { return forward_ms + Sum(backward_ms); }

double StepWork::total_update_ms() const { return Sum(update_ms); }

StepTimes RunRecursion(const StepWork& work, const ExchangePlan& plan,
                       const std::vector<RoundCosts>& rounds, const Passes& passes, int64_t warmup,
                       int64_t steps) {
  const int64_t workers = static_cast<int64_t>(passes.persistent.size());
  CHECK(!rounds.empty());
  CHECK_GT(steps, 0);
  CHECK(passes.steps == 0 || passes.steps >= warmup + steps) << passes.steps;
  Recursion recursion(work, plan, rounds, passes);
  for (int64_t t = 0; t < warmup; ++t) recursion.Step(t);
  const double begin = recursion.latest();
  const int64_t sampled = std::min<int64_t>(workers, kSampledWorkers);
  std::vector<double> durations;
  durations.reserve(steps * sampled);
  for (int64_t t = warmup; t < warmup + steps; ++t) {
    recursion.Step(t);
    for (int64_t s = 0; s < sampled; ++s) {
      durations.push_back(recursion.last_step_ms(s * workers / sampled));
    }
  }
  StepTimes times;
  times.mean_ms = (recursion.latest() - begin) / static_cast<double>(steps);
  times.p50_ms = Percentile(0.5, &durations);
  times.p99_ms = Percentile(0.99, &durations);
  const double compute = work.compute_ms();
  double own = 0;  // passes of all workers
  if (passes.steps == 0) {
    own = compute * Sum(passes.persistent) * static_cast<double>(steps);
  } else {
    for (int64_t k = warmup * workers; k < (warmup + steps) * workers; ++k) {
      own += compute * passes.factor[k] + passes.stall_ms[k];
    }
  }
  times.compute_ms = own / static_cast<double>(steps * workers) + work.total_update_ms();
  return times;
}

}  // namespace starling
