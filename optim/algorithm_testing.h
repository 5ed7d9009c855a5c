// For tests of mixing and of algorithms: small worlds, a heterogeneous objective, a trainer that
// drives an algorithm step by step as the real one does, and the dense serial arithmetic that its
// results are compared with.
#ifndef OPTIM_ALGORITHM_TESTING_H_
#define OPTIM_ALGORITHM_TESTING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "optim/algorithm.h"
#include "optim/optimizer.h"
#include "optim/worker.h"
#include "topology/topology.h"

namespace starling {

// One row per worker; or a mixing matrix, row = receiver.
using Matrix = std::vector<std::vector<double>>;

Matrix Multiply(const Matrix& a, const Matrix& b);

// The mean of the rows.
std::vector<double> MeanRow(const Matrix& x);

// max |a - b| / max |b|: 0 if both are 0.
double RelativeDifference(const Matrix& a, const Matrix& b);

// Bit by bit: unlike ==, tells 0 from -0 and finds NaN equal to itself.
bool SameBits(const Matrix& a, const Matrix& b);

// gamma W + (1 - gamma) I.
Matrix MixingMatrix(const MixingRound& round, double gamma = 1.0);

struct NamedTopology {
  std::string name;
  std::shared_ptr<const Topology> topology;
};

// For any number of workers. Doubly stochastic: "complete" (one group), "pairs" (groups of one and
// two, alternating), "ring" (edges, 1/3 each), "directed_ring" (edges, 1/2 to oneself and to the
// next; not symmetric). Only its columns sum to one: "push_ring" (two rounds in which every worker
// keeps another share and gives the rest to the next, or to the next but one).
std::vector<NamedTopology> TestTopologies(int workers);

// Every topology that is linked into the test, with its defaults, where it serves so many workers.
std::vector<NamedTopology> RegisteredTopologies(int workers);

// Runs `body` on every worker of the backend "threads".
absl::Status RunWorkers(int workers, int workers_per_node,
                        const std::function<absl::Status(Communicator*)>& body);

// f_i(x) = 1/2 sum_k a_ik (x_k - c_ik)^2 for worker i: every worker wants to be somewhere else.
struct Quadratics {
  Matrix curvature, center;

  static Quadratics Heterogeneous(int workers);  // a in [0.5, 2), c normal with deviation 3

  double Gradient(int worker, int64_t k, double x) const {
    return curvature[worker][k] * (x - center[worker][k]);
  }
  std::vector<double> Optimum() const;  // of the mean of all f_i
  Quadratics Mean() const;              // that mean up to a constant, as a world of one worker
};

// Parameters of all tests: four tensors whose sizes are no multiples of the padding.
Layout TestLayout(int64_t bucket_bytes, DType type);
inline constexpr int64_t kTestParameters = 5 * 7 + 40 + 3 + 2 * 64;

// From `step` on the workers `away` are away and all others are there.
struct TestChange {
  int64_t step;
  std::vector<int> away;
};

// One training run.
struct TestRun {
  std::string algorithm;
  std::string config;  // of the algorithm, in text format
  std::shared_ptr<const Topology> topology;
  Quadratics objective;
  Matrix x0;  // by worker; empty: all ones
  DType type = DType::kF64;
  int64_t bucket_bytes = 1;  // a bucket per tensor
  MixingOptions mixing;
  int every_steps = 1;  // mixing.every_steps
  int steps = 10;
  std::function<double(int64_t step)> lr = [](int64_t step) { return 0.1 / (1 + 0.1 * step); };
  std::string optimizer;  // registered name; empty: x <- mix(x) - lr g, written here
  std::string optimizer_config;
  int estimate_every = 0;           // Quiesce and Estimate after so many steps; 0: at the end only
  int restart_after = 0;            // then: saves all state, goes on with a new algorithm; 0: never
  std::vector<TestChange> changes;  // by step, which is not 0

  // Called by every worker that is there, in its thread, after every step and before any estimate.
  std::function<absl::Status(int64_t step, int worker, Algorithm* algorithm)> after_step;

  int workers() const { return static_cast<int>(objective.center.size()); }
};

struct TestRunResult {
  Matrix x;                     // in the end
  std::vector<double> average;  // in the end, by Estimate
  AlgorithmFacts facts;

  // Exchanges that the algorithm started in each step, by part of the step, and training bytes
  // sent in the whole run, all workers together. A group sum counts once.
  std::vector<int64_t> started_in_begin, started_in_ready, started_in_end;
  int64_t bytes_sent = 0;
};

// The memberships of a run, the first of which begins at step 0 and the others at run.changes. The
// repaired topologies are added to `owned`.
std::vector<Membership> MembershipsOf(const TestRun& run,
                                      std::vector<std::shared_ptr<const Topology>>* owned);

// Runs on "threads". Expectations on what every algorithm owes the trainer are checked on the way:
// x of a bucket stays until the bucket's gradient is there, padding stays zero, nothing moves
// after Quiesce, every range is updated once per step.
absl::StatusOr<TestRunResult> Train(const TestRun& run);

// What a dense serial reference computes a step with.
struct DenseStep {
  int64_t step;
  bool mixes;  // whether w is a round of the topology; otherwise it is the identity
  Matrix w;    // with gamma
  double lr;
  std::function<Matrix(const Matrix& x)> gradient;                // each worker's at its row
  std::function<void(const Matrix& gradient, Matrix* x)> update;  // each worker's local rule
};

// x <- x after the step. Copied before every run, so that a mutable lambda may keep more state.
// Where workers leave or return a fresh copy goes on, of those who are there, in a world of theirs.
using DenseReference = std::function<void(const DenseStep& step, Matrix* x)>;

// Returns x of all workers at the end of the run, in double.
Matrix TrainDense(const TestRun& run, DenseReference reference);

}  // namespace starling

#endif  // OPTIM_ALGORITHM_TESTING_H_
