#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops/ops.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr uint16_t kMeasurementStream = 0xffff;
constexpr int64_t kBatch = 250;  // examples evaluated at a time

}  // namespace

Evaluator::Evaluator(Communicator* comm, const Dataset* dataset, Model* model, Algorithm* algorithm,
                     Buffer x, absl::Duration deadline)
    : comm_(comm),
      dataset_(dataset),
      model_(model),
      algorithm_(algorithm),
      x_(x),
      deadline_(deadline),
      everyone_(comm->size()),
      own_(x.count, x.type),
      average_(x.count, x.type) {
  std::iota(everyone_.begin(), everyone_.end(), 0);
}

absl::Status Evaluator::SumOverWorkers(Buffer values) {
  ExchangeOptions options;
  options.deadline = deadline_;
  options.traffic = Traffic::kMeasurement;
  ASSIGN_OR_RETURN(auto work, comm_->AllReduceSum(everyone_, {kMeasurementStream, round_++, 0, 0},
                                                  values, options));
  return work->Wait();
}

absl::StatusOr<std::vector<double>> Evaluator::Gather(double own) {
  std::vector<double> values(comm_->size(), 0.0);
  values[comm_->rank()] = own;
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(values))));
  return values;
}

absl::StatusOr<std::vector<uint64_t>> Evaluator::GatherBits(uint64_t own) {
  ASSIGN_OR_RETURN(const auto high, Gather(static_cast<double>(own >> 32)));
  ASSIGN_OR_RETURN(const auto low, Gather(static_cast<double>(own & 0xffffffff)));
  std::vector<uint64_t> values;
  for (size_t rank = 0; rank < high.size(); ++rank) {
    values.push_back(static_cast<uint64_t>(high[rank]) << 32 | static_cast<uint64_t>(low[rank]));
  }
  return values;
}

absl::Status Evaluator::UpdateAverage() {
  double weight = 0;
  RETURN_IF_ERROR(algorithm_->Estimate(own_.buffer(), &weight));
  ops::Copy(own_.buffer(), average_.buffer());
  RETURN_IF_ERROR(SumOverWorkers(average_.buffer()));
  double total = weight;
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(&total, 1))));
  ops::Scale(1.0 / total, average_.buffer());
  ops::Scale(1.0 / weight, own_.buffer());
  return absl::OkStatus();
}

absl::StatusOr<double> Evaluator::ConsensusDistance() {
  double sum = ops::SquaredDistance(own_.buffer(), average_.buffer());
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(&sum, 1))));
  return std::sqrt(sum / comm_->size());
}

absl::StatusOr<MetricSums> Evaluator::EvaluateRange(Split split, int64_t begin, int64_t end) {
  MetricSums sums;
  std::vector<int64_t> ids;
  for (int64_t start = begin; start < end; start += kBatch) {
    ids.resize(std::min(kBatch, end - start));
    std::iota(ids.begin(), ids.end(), start);
    RETURN_IF_ERROR(dataset_->Read(split, ids, /*stream=*/0, &batch_));
    RETURN_IF_ERROR(model_->Evaluate(batch_, &sums));
  }
  return sums;
}

absl::StatusOr<Evaluation> Evaluator::Evaluate(Split split) {
  const int64_t size = dataset_->size(split);
  const int64_t rank = comm_->rank(), workers = comm_->size();

  RETURN_IF_ERROR(model_->Bind(own_.buffer(), Buffer()));
  ASSIGN_OR_RETURN(const MetricSums own, EvaluateRange(split, 0, size));
  const double own_size = static_cast<double>(std::max<int64_t>(own.targets, 1));
  Evaluation evaluation;
  ASSIGN_OR_RETURN(evaluation.worker_loss, Gather(own.loss / own_size));
  const bool classifies = dataset_->spec().classes > 0;
  if (classifies) {
    ASSIGN_OR_RETURN(evaluation.worker_accuracy, Gather(own.correct / own_size));
  }

  RETURN_IF_ERROR(model_->Bind(average_.buffer(), Buffer()));
  ASSIGN_OR_RETURN(const MetricSums share,
                   EvaluateRange(split, size * rank / workers, size * (rank + 1) / workers));
  double sums[3] = {share.loss, share.correct, static_cast<double>(share.targets)};
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(sums))));
  evaluation.loss = sums[0] / std::max(sums[2], 1.0);
  if (classifies) evaluation.accuracy = sums[1] / std::max(sums[2], 1.0);
  return evaluation;
}

}  // namespace starling
