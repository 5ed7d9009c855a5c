#include "cluster/runtime_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/closed_forms.h"
#include "cluster/cluster.h"
#include "cluster/compute_times.h"
#include "cluster/exchange_costs.h"
#include "cluster/recursion.h"
#include "core/status.h"
#include "glog/logging.h"
#include "topology/analysis.h"
#include "topology/traffic.h"

namespace starling {
namespace {

constexpr double kBoundTolerance = 0.05;  // Regime::kComputeBound

StepWork WorkOf(const ModelProfile& model, const ExchangePlan& plan, int workers) {
  const double compute = ComputeMs(model, workers);
  const double mb = ModelMb(model);
  StepWork work;
  work.forward_ms = compute * model.forward_share();
  for (const BucketProfile& bucket : model.bucket()) {
    work.backward_ms.push_back(compute * (1 - model.forward_share()) * bucket.backward_share());
    const double share = mb > 0 ? bucket.mb() / mb : 1.0 / model.bucket_size();
    work.update_ms.push_back(model.update_ms() * share);
    work.mb.push_back(bucket.mb() * plan.bytes_factor);
  }
  return work;
}

std::vector<RoundCosts> CostsOf(const ClusterSpec& cluster, const ExchangePlan& plan,
                                const Topology* topology, int workers) {
  const ExchangeCosts costs(cluster, workers);
  if (plan.everyone || topology == nullptr) return {costs.OfEveryone()};
  CHECK_EQ(topology->size(), workers);
  std::vector<RoundCosts> rounds;
  for (const MixingRound& round : PeriodOf(*topology)) {
    rounds.push_back(costs.OfRound(round, plan.groups_as_edges));
  }
  return rounds;
}

// What a worker's transfers take per step, mean over workers and rounds.
double CommunicationMs(const StepWork& work, const ExchangePlan& plan,
                       const std::vector<RoundCosts>& rounds, int workers) {
  if (plan.launch == ExchangePlan::Launch::kNever) return 0;
  double sum = 0;
  for (const RoundCosts& round : rounds) {
    for (size_t e = 0; e < round.cost.size(); ++e) {
      const int members = round.groups ? round.begin[e + 1] - round.begin[e] : 1;
      for (const double mb : work.mb) sum += members * round.cost[e].Ms(mb);
    }
  }
  return sum /
         (static_cast<double>(rounds.size()) * workers * static_cast<double>(plan.exchange_every));
}

// What a worker sends per step, mean over workers and rounds.
double SentMb(const ModelProfile& model, const ExchangePlan& plan, const Topology* topology,
              int workers) {
  if (plan.launch == ExchangePlan::Launch::kNever) return 0;
  const double mb = ModelMb(model) * plan.bytes_factor / static_cast<double>(plan.exchange_every);
  if (plan.everyone || topology == nullptr) return 2.0 * (workers - 1) / workers * mb;
  std::vector<MixingRound> rounds = PeriodOf(*topology);
  if (plan.groups_as_edges) {
    for (MixingRound& round : rounds) {
      std::vector<Edge> edges;
      for (int worker = 0; worker < workers; ++worker) {
        edges.insert(edges.end(), round.in(worker).begin(), round.in(worker).end());
      }
      round = MixingRound::FromEdges(workers, std::move(edges));
    }
  }
  double sum = 0;
  for (const double sent : MeanTraffic(rounds, /*workers_per_node=*/1, mb).worker_bytes) {
    sum += sent;
  }
  return sum / workers;
}

// Without noise: the formula, or else the recursion over whole periods.
StepTimes NoiselessTimes(const StepWork& work, const ExchangePlan& plan,
                         const std::vector<RoundCosts>& rounds,
                         const std::vector<double>& persistent) {
  const bool alike =
      std::all_of(persistent.begin(), persistent.end(), [&](double factor) { return factor == 1; });
  if (alike) {
    if (const std::optional<double> ms = ClosedFormMs(work, plan, rounds)) {
      return {*ms, *ms, *ms, work.compute_ms() + work.total_update_ms()};
    }
  }
  const int64_t period =
      static_cast<int64_t>(rounds.size()) * std::max<int64_t>(1, plan.exchange_every);
  const int64_t periods = (100 + period - 1) / period;
  Passes passes;
  passes.persistent = persistent;
  return RunRecursion(work, plan, rounds, passes, /*warmup=*/periods * period, periods * period);
}

// Half the change of the mean from a figure one deviation down to one up, over all figures of
// `message` that `spreads` names; squares are summed.
template <typename Message, typename Mean>
double SquaredSpread(const Message& message,
                     const google::protobuf::RepeatedPtrField<Spread>& spreads, const Mean& mean) {
  double sum = 0;
  for (const Spread& spread : spreads) {
    const auto* field = Message::descriptor()->FindFieldByName(spread.field());
    CHECK(field != nullptr) << spread.field();
    const auto& reflection = *message.GetReflection();
    if (!reflection.HasField(message, field)) continue;
    const double value = reflection.GetDouble(message, field);
    const auto with = [&](double factor) {
      Message changed = message;
      reflection.SetDouble(&changed, field, value * factor);
      return mean(changed);
    };
    // A figure is positive, however unsure it is.
    const double change = with(1 + spread.relative()) - with(std::max(1 - spread.relative(), 0.01));
    sum += change * change / 4;
  }
  return sum;
}

}  // namespace

const char* RegimeName(Regime regime) {
  switch (regime) {
    case Regime::kComputeBound:
      return "compute-bound";
    case Regime::kCommunicationBound:
      return "communication-bound";
    case Regime::kStragglerBound:
      return "straggler-bound";
  }
  LOG(FATAL) << "no regime " << static_cast<int>(regime);
}

absl::StatusOr<RuntimeModel> RuntimeModel::Create(const ClusterSpec& cluster,
                                                  const ModelProfile& model, int workers,
                                                  const PredictionOptions& options) {
  RETURN_IF_ERROR(CheckWorkersFit(cluster, workers));
  CHECK_GT(workers, 0);
  RuntimeModel result;
  result.cluster_ = cluster;
  result.model_ = model;
  result.workers_ = workers;
  result.options_ = options;
  result.passes_ = std::make_shared<Passes>(DrawPasses(
      ComputeTimes(cluster, workers, options.seed), workers, options.warmup_steps + options.steps));
  return result;
}

StepPrediction RuntimeModel::PredictWith(const ClusterSpec& cluster, const ModelProfile& model,
                                         const ExchangePlan& plan, const Topology* topology) const {
  const StepWork work = WorkOf(model, plan, workers_);
  const std::vector<RoundCosts> rounds = CostsOf(cluster, plan, topology, workers_);
  const StepTimes times =
      passes_->steps == 0
          ? NoiselessTimes(work, plan, rounds, passes_->persistent)
          : RunRecursion(work, plan, rounds, *passes_, options_.warmup_steps, options_.steps);
  StepPrediction step;
  step.mean_ms = step.low_ms = step.high_ms = times.mean_ms;
  step.p50_ms = times.p50_ms;
  step.p99_ms = times.p99_ms;
  step.compute_ms = times.compute_ms;
  step.communication_ms = CommunicationMs(work, plan, rounds, workers_);
  step.sent_mb = SentMb(model, plan, topology, workers_);
  step.exposed_ms = times.mean_ms - times.compute_ms;
  // What is left of the time beyond computing when all workers are alike is communication.
  const double alike =
      NoiselessTimes(work, plan, rounds, std::vector<double>(workers_, 1.0)).mean_ms;
  const double communication = alike - (work.compute_ms() + work.total_update_ms());
  if (step.exposed_ms > kBoundTolerance * times.compute_ms) {
    step.regime = communication >= step.exposed_ms - communication ? Regime::kCommunicationBound
                                                                   : Regime::kStragglerBound;
  }
  return step;
}

StepPrediction RuntimeModel::Predict(const ExchangePlan& plan, const Topology* topology) const {
  StepPrediction step = PredictWith(cluster_, model_, plan, topology);
  const double squares =
      SquaredSpread(cluster_, cluster_.spread(),
                    [&](const ClusterSpec& changed) {
                      return PredictWith(changed, model_, plan, topology).mean_ms;
                    }) +
      SquaredSpread(model_, model_.spread(), [&](const ModelProfile& changed) {
        return PredictWith(cluster_, changed, plan, topology).mean_ms;
      });
  step.low_ms = step.mean_ms - std::sqrt(squares);
  step.high_ms = step.mean_ms + std::sqrt(squares);
  return step;
}

}  // namespace starling
