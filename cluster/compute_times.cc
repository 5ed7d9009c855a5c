#include "cluster/compute_times.h"

#include <algorithm>
#include <cmath>

#include "core/random/random.h"
#include "glog/logging.h"

namespace starling {

ComputeTimes::ComputeTimes(const ClusterSpec& cluster, int workers, uint64_t seed)
    : jitter_(cluster.jitter()),
      stalls_(cluster.stalls()),
      persistent_(workers, 1.0),
      seed_(seed),
      random_((jitter_.relative() > 0 && jitter_.distribution() != Jitter::NONE) ||
              jitter_.distribution() == Jitter::EMPIRICAL ||
              (stalls_.probability() > 0 && stalls_.ms() > 0)) {
  if (jitter_.distribution() == Jitter::EMPIRICAL) {
    double sum = 0;
    for (const double sample : jitter_.sample()) sum += sample;
    CHECK_GT(sum, 0);
    sample_mean_ = sum / jitter_.sample_size();
  }
  for (const SlowWorker& slow : cluster.slow_worker()) {
    if (slow.worker() < workers) persistent_[slow.worker()] = slow.factor();
  }
}

ComputeTimes::Pass ComputeTimes::At(int worker, int64_t step) const {
  Pass pass;
  pass.factor = persistent_[worker];
  if (!random_) return pass;
  Random random(StreamKey(seed_, Purpose::kCompute, worker, step));
  if (stalls_.probability() > 0 && random.Uniform() < stalls_.probability()) {
    pass.stall_ms = stalls_.ms();
  }
  const double r = jitter_.relative();
  switch (jitter_.distribution()) {
    case Jitter::NORMAL:
      pass.factor *= std::max(0.0, 1 + r * random.Normal());
      break;
    case Jitter::LOGNORMAL: {
      const double variance = std::log1p(r * r);
      pass.factor *= std::exp(std::sqrt(variance) * random.Normal() - variance / 2);
      break;
    }
    case Jitter::GAMMA:
      if (r > 0) pass.factor *= r * r * random.Gamma(1 / (r * r));
      break;
    case Jitter::EMPIRICAL:
      pass.factor *=
          jitter_.sample(static_cast<int>(random.Below(jitter_.sample_size()))) / sample_mean_;
      break;
    default:
      break;
  }
  return pass;
}

}  // namespace starling
