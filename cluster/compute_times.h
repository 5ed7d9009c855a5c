// How long a worker computes: the noise of a cluster, drawn the same way by predictions and
// simulations.
//
//   time of worker i's pass in step t = factor(i, t) * ComputeMs(model, workers) + stall_ms(i, t)
//
// factor is the jitter (mean 1, independent) times the worker's own slow_worker.factor; a stall
// comes before the forward pass. Both come from the stream (seed, Purpose::kCompute, i, t), so they
// depend on nothing else. Updates (ModelProfile.update_ms) have no noise.
//
//   NORMAL     max(0, 1 + r z)                     r: jitter.relative, z: standard normal
//   LOGNORMAL  exp(s z - s^2 / 2)                  s^2 = ln(1 + r^2)
//   GAMMA      r^2 Gamma(1 / r^2)
//   EMPIRICAL  a random jitter.sample over the mean of all
#ifndef CLUSTER_COMPUTE_TIMES_H_
#define CLUSTER_COMPUTE_TIMES_H_

#include <cstdint>
#include <vector>

#include "cluster/cluster.pb.h"

namespace starling {

class ComputeTimes {
 public:
  struct Pass {
    double factor = 1;
    double stall_ms = 0;
  };

  // `cluster` is complete (cluster.h).
  ComputeTimes(const ClusterSpec& cluster, int workers, uint64_t seed);

  // 0 <= worker < workers, step >= 0. Thread-safe.
  Pass At(int worker, int64_t step) const;

  // Whether steps differ from each other.
  bool random() const { return random_; }

  // The factor without jitter.
  double persistent(int worker) const { return persistent_[worker]; }

 private:
  Jitter jitter_;
  Stalls stalls_;
  double sample_mean_ = 1;
  std::vector<double> persistent_;  // by worker
  uint64_t seed_;
  bool random_;
};

}  // namespace starling

#endif  // CLUSTER_COMPUTE_TIMES_H_
