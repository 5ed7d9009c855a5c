// Workers that leave and return: what one worker does when the world changes, between two steps,
// at the same step on all workers.
//
//   * Whoever was there before waits until nothing moves (Algorithm::Quiesce).
//   * Whoever stays tells its algorithm (Algorithm::OnMembership), which sees to what all workers
//     together must keep; its optimizer goes on.
//   * Whoever leaves does nothing until it returns.
//   * Whoever returns takes over the parameters of a live neighbour, and the model's own state, and
//     starts algorithm and optimizer afresh: moments are zero. Where that state is equal on all
//     workers (AlgorithmFacts::state_is_shared), it takes it over, too.
#ifndef OPTIM_MEMBERSHIP_H_
#define OPTIM_MEMBERSHIP_H_

#include <functional>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/state.h"
#include "optim/algorithm.h"
#include "optim/worker.h"

namespace starling {

// Who gives its model to `worker`, which returns: the lowest rank among its neighbours in
// `after.topology` that were alive `before`; without such a neighbour, or a topology, the lowest
// rank that is alive before and after.
int GiverTo(int worker, const Membership& before, const Membership& after);

// `worker`, with its parameters x and gradients g, goes from `before` to `after`. `model_state`
// shows the model's state. Called by all workers that are alive before or after; at least one is
// both. What is sent counts as Traffic::kMeasurement, so that training traffic is that of steps.
absl::Status ChangeMembership(const Membership& before, const Membership& after,
                              const Worker& worker, Algorithm* algorithm, Buffer x, Buffer g,
                              const std::function<absl::Status(StateVisitor*)>& model_state);

}  // namespace starling

#endif  // OPTIM_MEMBERSHIP_H_
