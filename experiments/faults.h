// The script of faults (comm/faults.proto) of an experiment: whether it can be, and who takes part
// when. Workers that leave and return do so between two steps, the same ones on all workers.
#ifndef EXPERIMENTS_FAULTS_H_
#define EXPERIMENTS_FAULTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config/problem.h"
#include "experiments/experiment.pb.h"
#include "optim/algorithm.h"
#include "optim/worker.h"
#include "topology/topology.h"

namespace starling {

// Steps in which the same workers take part: from `begin` to that of the next era.
struct Era {
  int64_t begin = 0;
  Membership membership;
  std::unique_ptr<Topology> repaired;  // membership.topology, unless that is the whole one
};

// Adds what is wrong with the faults of `config`, whose defaults are filled in. Worker 0 cannot
// leave: the run's records are made beside it.
void CheckFaults(const Experiment& config, const AlgorithmFacts& facts,
                 std::vector<Problem>* problems);

// The eras of a run, at least one, by begin; the first begins at 0, with everyone. `topology` is
// not owned; null for algorithms that take none. An error: it cannot be repaired.
absl::StatusOr<std::vector<Era>> MakeEras(const Experiment& config, const Topology* topology);

// The era that `step` belongs to; that of step 0 for steps before.
const Era& EraOf(const std::vector<Era>& eras, int64_t step);

// Whether an era begins at `step`, so that workers leave or return before it.
bool ChangesAt(const std::vector<Era>& eras, int64_t step);

// The first step from `step` on at which `worker`, which is away, takes part; -1: there is none.
int64_t ReturnOf(const std::vector<Era>& eras, int worker, int64_t step);

// Events of a run of `steps` in words, and what repairing the topology costs; lines of at most 80
// columns, empty without faults.
//
//   worker 7 leaves at step 300 and returns at 900
//   from step 300 on without worker 7:
//     disagreement shrinks to 0.833 per round, of all to 0.805; up to 2 messages
std::string FaultsText(const Faults& faults, const std::vector<Era>& eras, int64_t steps);

}  // namespace starling

#endif  // EXPERIMENTS_FAULTS_H_
