// Measuring a running training without changing it: the average model, the consensus distance and
// evaluations. All of it is collective: every worker that is alive calls it at the same step, and
// all of it is about those workers. Messages count as measurement traffic.
#ifndef EXPERIMENTS_EVALUATOR_H_
#define EXPERIMENTS_EVALUATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "data/dataset.h"
#include "experiments/monitor.h"
#include "models/model.h"
#include "optim/algorithm.h"

namespace starling {

class Evaluator {
 public:
  // Nothing is owned. x is what the worker trains. Only Evaluate needs a data set and a model.
  // RESOURCE_EXHAUSTED: a device has no room for the average model.
  static absl::StatusOr<std::unique_ptr<Evaluator>> Create(Communicator* comm,
                                                           const Dataset* dataset, Model* model,
                                                           Algorithm* algorithm, Buffer x,
                                                           absl::Duration deadline,
                                                           bool average_statistics = true);

  // From here on these workers, this one among them, measure; before: all. All of them must call it
  // at the same step.
  void SetMembers(std::vector<int> ranks);
  const std::vector<int>& members() const { return members_; }

  // Recomputes the average model: sum of all workers' numerators over the sum of their weights.
  absl::Status UpdateAverage();

  // Lets all workers go on from the average model: x <- what UpdateAverage has computed last. Call
  // between steps, after Quiesce.
  absl::Status ContinueFromAverage();

  // sqrt( 1/n sum_i ||x_i - x_bar||^2 ), with x_i what worker i's Estimate stands for
  // (numerator / weight). Call UpdateAverage first.
  absl::StatusOr<double> ConsensusDistance();

  // Evaluates the average model (each worker a share of the split) and, if `each_worker`, every
  // worker's own model (on the whole split). Leaves the model bound to (average, nothing): the
  // caller re-binds.
  //
  // The model's state (running statistics of batch norm) is each worker's own. With
  // average_statistics the average model gets the mean over all workers, otherwise each worker
  // evaluates its share with its own. Afterwards every worker has its own again, to the bit.
  absl::StatusOr<Evaluation> Evaluate(Split split, bool each_worker = true);

  // BLEU of the average model's translations of the split (each worker a share); absent where the
  // data are no sentence pairs or the model does not translate. Call UpdateAverage first; binds as
  // Evaluate does.
  absl::StatusOr<std::optional<double>> Bleu(Split split);

  // values[k] <- what members()[k] has in `own`.
  absl::StatusOr<std::vector<double>> Gather(double own);

  // The same for 64 bits, of which doubles hold 53.
  absl::StatusOr<std::vector<uint64_t>> GatherBits(uint64_t own);

  // values <- their sum over the workers.
  absl::Status SumOverWorkers(Buffer values);

  // What UpdateAverage has computed last.
  Buffer average() const { return average_; }

 private:
  Evaluator(Communicator* comm, const Dataset* dataset, Model* model, Algorithm* algorithm,
            Buffer x, absl::Duration deadline, bool average_statistics);

  int64_t Position() const;  // of this worker among the members

  // Begin and end of this worker's share of `size` examples.
  std::pair<int64_t, int64_t> Share(int64_t size) const;

  // How many examples from `begin` on are evaluated at a time, none beyond `end`.
  int64_t BatchSize(Split split, int64_t begin, int64_t end) const;
  absl::StatusOr<int64_t> ReadSome(Split split, int64_t begin, int64_t end);  // returns BatchSize
  absl::StatusOr<MetricSums> EvaluateRange(Split split, int64_t begin, int64_t end);
  absl::Status EvaluateEachWorker(Split split, Evaluation* evaluation);
  absl::StatusOr<MetricSums> EvaluateShareOfAverage(Split split);

  Communicator* comm_;
  const Dataset* dataset_;
  Model* model_;
  Algorithm* algorithm_;
  Buffer x_;
  absl::Duration deadline_;
  bool average_statistics_;
  std::vector<int> members_;
  Buffer own_, average_;
  int64_t round_ = 0;  // of measurements: tells their messages apart
  Batch batch_;
};

}  // namespace starling

#endif  // EXPERIMENTS_EVALUATOR_H_
