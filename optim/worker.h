// What a worker's algorithm finds around it, and what it is told about a step.
#ifndef OPTIM_WORKER_H_
#define OPTIM_WORKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "comm/communicator.h"
#include "comm/compressor.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/random/random.h"
#include "optim/optimizer.h"
#include "topology/topology.h"

namespace starling {

// Who takes part, by rank, and over what they mix. The world starts complete.
struct Membership {
  int64_t epoch = 0;  // counts changes
  std::vector<bool> alive;
  const Topology* topology = nullptr;  // repaired (topology/repair.h), not owned; null: takes none

  // The ranks of those who are alive, sorted.
  std::vector<int> living() const {
    std::vector<int> ranks;
    for (size_t rank = 0; rank < alive.size(); ++rank) {
      if (alive[rank]) ranks.push_back(static_cast<int>(rank));
    }
    return ranks;
  }
};

// The switches `mixing { ... }`, which every mixing algorithm shares. Overlap never changes bits;
// staleness and precision do.
struct MixingOptions {
  bool overlap = true;  // false: wait for an exchange right where it is started
  double gamma = 1.0;   // W' = gamma W + (1 - gamma) I
  int staleness = 0;    // mixings by which mixed values are older (AlgorithmFacts::takes_staleness)
  std::optional<DType>
      precision;  // of exchanged values, no wider than the vectors'; absent: theirs
  absl::Duration deadline = absl::InfiniteDuration();  // of one exchange
};

// Services for one worker's algorithm. Nothing is owned; all outlive the algorithm.
struct Worker {
  int id = 0;
  int count = 1;
  uint64_t seed = 0;
  Communicator* comm = nullptr;
  const Topology* topology = nullptr;  // null for algorithms that take none
  Optimizer* optimizer = nullptr;
  const Layout* layout = nullptr;
  Compressor* compressor = nullptr;  // null: none
  MixingOptions mixing;

  // Where the vectors lie that are mixed; absent: where the communicator's do.
  std::optional<Place> place;

  // The random stream of this worker for `purpose` at `step`.
  uint64_t stream(Purpose purpose, int64_t step) const {
    return StreamKey(seed, purpose, id, step);
  }
};

struct StepInfo {
  int64_t step = 0;
  bool mixes = true;  // whether parameters are mixed in this step (mixing.every_steps)
  int64_t round = 0;  // the topology's round if it does

  // The round that the next step will mix with, for starting its exchange early; absent when the
  // next step does not mix or may not come (the run's last step).
  std::optional<int64_t> next_round;

  double lr = 0;                      // scheduled
  double lr_max = 0;                  // largest of the run: the optimizer's own
  int phase = 0;                      // for algorithms with phases
  const Membership* alive = nullptr;  // null: everyone
};

}  // namespace starling

#endif  // OPTIM_WORKER_H_
