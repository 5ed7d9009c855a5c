#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "core/device/host_state.h"
#include "core/ops/ops.h"
#include "core/state.h"
#include "core/status.h"
#include "data/bleu.h"
#include "data/translations.h"

namespace starling {
namespace {

constexpr uint16_t kMeasurementStream = 0xffff;
constexpr int64_t kBatch = 250;  // examples evaluated at a time, at most
// Of sequences, padding counted: there is a logit for every token and entry of the vocabulary.
constexpr int64_t kTokens = 2048;

// Copies a model's statistics, which is its floating-point state, out or in.
class StatisticsCopier final : public StateVisitor {
 public:
  // Out: appends to `values`. In: writes them, in the order in which they came out.
  enum class Direction { kOut, kIn };
  StatisticsCopier(Direction direction, std::vector<double>* values)
      : direction_(direction), values_(values) {}

  absl::Status Visit(absl::string_view, Buffer state) override {
    if (state.type == DType::kF32) Copy(state.as<float>());
    if (state.type == DType::kF64) Copy(state.as<double>());
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

 private:
  template <typename T>
  void Copy(absl::Span<T> state) {
    if (direction_ == Direction::kOut) {
      values_->insert(values_->end(), state.begin(), state.end());
    } else {
      for (T& value : state) value = static_cast<T>((*values_)[next_++]);
    }
  }

  Direction direction_;
  std::vector<double>* values_;
  size_t next_ = 0;
};

absl::StatusOr<std::vector<double>> StatisticsOf(Model* model) {
  std::vector<double> statistics;
  StatisticsCopier out(StatisticsCopier::Direction::kOut, &statistics);
  HostState host(&out);
  RETURN_IF_ERROR(model->VisitState(&host));
  return statistics;
}

absl::Status SetStatistics(std::vector<double> statistics, Model* model) {
  StatisticsCopier in(StatisticsCopier::Direction::kIn, &statistics);
  HostState host(&in);
  RETURN_IF_ERROR(model->VisitState(&host));
  return host.PutBack();
}

}  // namespace

Evaluator::Evaluator(Communicator* comm, const Dataset* dataset, Model* model, Algorithm* algorithm,
                     Buffer x, absl::Duration deadline, bool average_statistics)
    : comm_(comm),
      dataset_(dataset),
      model_(model),
      algorithm_(algorithm),
      x_(x),
      deadline_(deadline),
      average_statistics_(average_statistics),
      members_(comm->size()) {
  std::iota(members_.begin(), members_.end(), 0);
}

absl::StatusOr<std::unique_ptr<Evaluator>> Evaluator::Create(Communicator* comm,
                                                             const Dataset* dataset, Model* model,
                                                             Algorithm* algorithm, Buffer x,
                                                             absl::Duration deadline,
                                                             bool average_statistics) {
  auto evaluator = absl::WrapUnique(
      new Evaluator(comm, dataset, model, algorithm, x, deadline, average_statistics));
  ASSIGN_OR_RETURN(evaluator->own_, comm->Allocate(x.count, x.type, x.place));
  ASSIGN_OR_RETURN(evaluator->average_, comm->Allocate(x.count, x.type, x.place));
  return evaluator;
}

void Evaluator::SetMembers(std::vector<int> ranks) {
  members_ = std::move(ranks);
  round_ = 0;  // one that has been away has counted fewer
}

int64_t Evaluator::Position() const {
  return std::lower_bound(members_.begin(), members_.end(), comm_->rank()) - members_.begin();
}

std::pair<int64_t, int64_t> Evaluator::Share(int64_t size) const {
  const auto workers = static_cast<int64_t>(members_.size());
  return {size * Position() / workers, size * (Position() + 1) / workers};
}

absl::Status Evaluator::SumOverWorkers(Buffer values) {
  ExchangeOptions options;
  options.deadline = deadline_;
  options.traffic = Traffic::kMeasurement;
  ASSIGN_OR_RETURN(auto work, comm_->AllReduceSum(members_, {kMeasurementStream, round_++, 0, 0},
                                                  values, options));
  return work->Wait();
}

absl::StatusOr<std::vector<double>> Evaluator::Gather(double own) {
  std::vector<double> values(members_.size(), 0.0);
  values[Position()] = own;
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
  RETURN_IF_ERROR(algorithm_->Estimate(own_, &weight));
  ops::Copy(own_, average_);
  RETURN_IF_ERROR(SumOverWorkers(average_));
  double total = weight;
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(&total, 1))));
  ops::Scale(1.0 / total, average_);
  ops::Scale(1.0 / weight, own_);
  return absl::OkStatus();
}

absl::Status Evaluator::ContinueFromAverage() {
  ops::Copy(average_, x_);
  return algorithm_->OnNewParameters();
}

absl::StatusOr<double> Evaluator::ConsensusDistance() {
  double sum = ops::SquaredDistance(own_, average_);
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(&sum, 1))));
  return std::sqrt(sum / static_cast<double>(members_.size()));
}

int64_t Evaluator::BatchSize(Split split, int64_t begin, int64_t end) const {
  const DataSpec& spec = dataset_->spec();
  int64_t size = 0, longest = 0;
  for (; size < std::min(kBatch, end - begin); ++size) {
    if (spec.vocabulary == 0) continue;
    const int64_t length = spec.fields[0].shape[0];  // -1: differs from example to example
    longest = std::max(longest, length > 0 ? length : dataset_->cost(split, begin + size));
    if (size > 0 && (size + 1) * longest > kTokens) break;
  }
  return size;
}

absl::StatusOr<int64_t> Evaluator::ReadSome(Split split, int64_t begin, int64_t end) {
  std::vector<int64_t> ids(BatchSize(split, begin, end));
  std::iota(ids.begin(), ids.end(), begin);
  RETURN_IF_ERROR(dataset_->Read(split, ids, /*stream=*/0, &batch_));
  return batch_.size;
}

absl::StatusOr<MetricSums> Evaluator::EvaluateRange(Split split, int64_t begin, int64_t end) {
  MetricSums sums;
  while (begin < end) {
    ASSIGN_OR_RETURN(const int64_t count, ReadSome(split, begin, end));
    RETURN_IF_ERROR(model_->Evaluate(batch_, &sums));
    begin += count;
  }
  return sums;
}

absl::StatusOr<MetricSums> Evaluator::EvaluateShareOfAverage(Split split) {
  const auto [begin, end] = Share(dataset_->size(split));
  RETURN_IF_ERROR(model_->Bind(average_, Buffer()));
  ASSIGN_OR_RETURN(const std::vector<double> own, StatisticsOf(model_));
  if (!average_statistics_ || own.empty()) return EvaluateRange(split, begin, end);

  std::vector<double> mean = own;
  const Buffer sums = AsBuffer(absl::MakeSpan(mean));
  RETURN_IF_ERROR(SumOverWorkers(sums));
  ops::Scale(1.0 / static_cast<double>(members_.size()), sums);
  RETURN_IF_ERROR(SetStatistics(std::move(mean), model_));
  auto share = EvaluateRange(split, begin, end);
  RETURN_IF_ERROR(SetStatistics(own, model_));
  return share;
}

absl::Status Evaluator::EvaluateEachWorker(Split split, Evaluation* evaluation) {
  RETURN_IF_ERROR(model_->Bind(own_, Buffer()));
  ASSIGN_OR_RETURN(const MetricSums own, EvaluateRange(split, 0, dataset_->size(split)));
  const double size = static_cast<double>(std::max<int64_t>(own.targets, 1));
  ASSIGN_OR_RETURN(evaluation->worker_loss, Gather(own.loss / size));
  if (dataset_->spec().classes > 0) {
    ASSIGN_OR_RETURN(evaluation->worker_accuracy, Gather(own.correct / size));
  }
  return absl::OkStatus();
}

absl::StatusOr<Evaluation> Evaluator::Evaluate(Split split, bool each_worker) {
  Evaluation evaluation;
  if (each_worker) RETURN_IF_ERROR(EvaluateEachWorker(split, &evaluation));
  ASSIGN_OR_RETURN(const MetricSums share, EvaluateShareOfAverage(split));
  double sums[3] = {share.loss, share.correct, static_cast<double>(share.targets)};
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(sums))));
  evaluation.loss = sums[0] / std::max(sums[2], 1.0);
  if (dataset_->spec().classes > 0) evaluation.accuracy = sums[1] / std::max(sums[2], 1.0);
  if (dataset_->spec().vocabulary > 0 && sums[2] > 0) {
    evaluation.perplexity = std::exp(evaluation.loss);
  }
  return evaluation;
}

absl::StatusOr<std::optional<double>> Evaluator::Bleu(Split split) {
  const Translations* translations = dataset_->translations();
  if (translations == nullptr) return std::nullopt;
  RETURN_IF_ERROR(model_->Bind(average_, Buffer()));
  auto [begin, end] = Share(dataset_->size(split));
  BleuCounts counts;
  bool translates = true;
  while (translates && begin < end) {
    ASSIGN_OR_RETURN(const int64_t count, ReadSome(split, begin, end));
    const auto translated = model_->Translate(batch_);
    translates = !absl::IsUnimplemented(translated.status());
    if (!translates) break;
    RETURN_IF_ERROR(translated.status());
    for (int64_t i = 0; i < count; ++i) {
      counts.Add(translations->Text((*translated)[i]), translations->Reference(split, begin + i));
    }
    begin += count;
  }
  // Doubles hold these integers exactly. A worker may have had nothing to try.
  std::vector<double> sums(counts.matches.begin(), counts.matches.end());
  sums.insert(sums.end(), counts.ngrams.begin(), counts.ngrams.end());
  sums.push_back(static_cast<double>(counts.translation_tokens));
  sums.push_back(static_cast<double>(counts.reference_tokens));
  sums.push_back(translates ? 0 : 1);
  RETURN_IF_ERROR(SumOverWorkers(AsBuffer(absl::MakeSpan(sums))));
  if (sums.back() > 0) return std::nullopt;
  constexpr int kOrders = BleuCounts::kOrders;
  BleuCounts all;
  for (int order = 0; order < kOrders; ++order) {
    all.matches[order] = static_cast<int64_t>(sums[order]);
    all.ngrams[order] = static_cast<int64_t>(sums[kOrders + order]);
  }
  all.translation_tokens = static_cast<int64_t>(sums[2 * kOrders]);
  all.reference_tokens = static_cast<int64_t>(sums[2 * kOrders + 1]);
  return all.Score();
}

}  // namespace starling
