// The plan verifier: finds out before anything is trained whether a plan can hang, lose messages or
// never agree. Runs before every training, and as `starling verify`.
#ifndef EXPERIMENTS_VERIFY_H_
#define EXPERIMENTS_VERIFY_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/config/problem.h"
#include "experiments/plan.h"

namespace starling {

// Worlds larger than this are not rehearsed: what every worker sends at once no longer fits.
inline constexpr int kLargestRehearsedWorld = 256;

// Checks, in this order,
//
//   * the topology, over one period, with VerifyTopology: what it claims of its weights holds, and
//     it connects all workers. (MakePlan has checked that its claims are what the algorithm needs.)
//   * the algorithm, by a rehearsal (comm/rehearsal.h): its own code runs on every worker, with the
//     plan's optimizer, topology and switches, on three buckets of 32 parameters. All messages find
//     their receives, nobody waits for ever, no two messages can be confused, nothing is left under
//     way when a worker measures or ends.
//
// The rehearsal lasts from the first step that sends anything over one period of the topology (and
// `mixing.every_steps` of each round) and four steps more, with a measurement of the average model
// in between and at the end; or the whole run, if that is shorter. Large worlds and long periods
// are cut short by a number of messages and steps, the same everywhere; the answer says what was
// done. Where workers leave or return (faults.h) the same follows from there, without those who are
// away, after the change itself; and the repaired topology is checked among those who are there.
//
// Returns what was checked, in a few lines of at most 80 columns. INVALID_ARGUMENT: the first
// violation in one sentence, with the place in `locations` where the plug-in was named.
absl::StatusOr<std::string> VerifyPlan(const Plan& plan, const TextLocations& locations);

}  // namespace starling

#endif  // EXPERIMENTS_VERIFY_H_
