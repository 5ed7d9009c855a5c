#include "cluster/fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cluster/cluster.h"
#include "cluster/runtime_model.h"
#include "core/status.h"
#include "glog/logging.h"
#include "nlopt.h"

namespace starling {
namespace {

// Figures, by their natural logarithms.
enum Figure { kFixed, kScaled, kNode, kCommunicator, kNic, kJitter, kUpdate, kSgp, kExponent };
constexpr int kFitted = kExponent;  // the exponent is given
constexpr int kFigures = kExponent + 1;
using Logs = std::vector<double>;  // kFigures

struct Usual {
  double value;
  double log_deviation;
  double most;  // bound
};
// kFixed and kScaled depend on the measurements, kNic is over kCommunicator.
constexpr std::array<Usual, kFigures> kUsual = {{{0, 1, 1e7},
                                                 {0, 1, 1e9},
                                                 {200, 1, 1e4},
                                                 {100, 1, 1e4},
                                                 {3, 0.7, 64},
                                                 {0.02, 0.8, 0.15},
                                                 {4, 0.7, 50},
                                                 {10, 3, 1e6},
                                                 {2.5, 0.25, 100}}};
constexpr double kRowDeviation = 0.02;
constexpr double kLatencyUs = 50;
constexpr double kNinetyPercent = 1.645;  // standard deviations

// Steps of predictions: few while searching, with the same noise throughout.
constexpr int64_t kSearchSteps = 160, kWarmupSteps = 40, kFinalSteps = 1000;

double Square(double x) { return x * x; }

ClusterSpec ClusterOf(const Logs& logs, int workers_per_node) {
  ClusterSpec cluster;
  cluster.set_workers_per_node(workers_per_node);
  cluster.set_node_gbps(std::exp(logs[kNode]));
  cluster.set_communicator_gbps(std::exp(logs[kCommunicator]));
  cluster.set_nic_gbps(std::exp(logs[kCommunicator] + logs[kNic]));
  cluster.set_collective_latency_us(kLatencyUs);
  cluster.set_collective(ClusterSpec::RING);
  cluster.mutable_jitter()->set_distribution(Jitter::NORMAL);
  cluster.mutable_jitter()->set_relative(std::exp(logs[kJitter]));
  CHECK_EQ(CompleteCluster(&cluster), absl::OkStatus());
  return cluster;
}

ModelProfile ModelWith(const Logs& logs, ModelProfile model) {
  model.set_fixed_ms(std::exp(logs[kFixed]));
  model.set_scaled_ms(std::exp(logs[kScaled]));
  model.set_update_ms(std::exp(logs[kUpdate]));
  model.set_overlap_exponent(std::exp(logs[kExponent]));
  return model;
}

// A set of rows, ready to be predicted over and over.
class Predictor {
 public:
  Predictor(absl::Span<const StepMeasurement> rows, const ModelProfile& model, int64_t steps)
      : rows_(rows.begin(), rows.end()), model_(model) {
    options_.steps = steps;
    options_.warmup_steps = kWarmupSteps;
    for (const StepMeasurement& row : rows_) {
      auto method = MakeMethod(row.method, row.gpus, row.workers_per_node);
      CHECK(method.ok()) << method.status();  // ParseMeasurements made it
      methods_.push_back(*std::move(method));
    }
  }

  const std::vector<StepMeasurement>& rows() const { return rows_; }

  // ln of the predicted ms of each row.
  std::vector<double> Predict(const Logs& logs, bool sgp_overlaps) const {
    std::vector<double> result(rows_.size());
    const ModelProfile model = ModelWith(logs, model_);
    ModelProfile sgp_model = model;
    sgp_model.set_update_ms(model.update_ms() + std::exp(logs[kSgp]));
    std::map<std::pair<int, int>, RuntimeModel> runtimes;  // the noise of a world is drawn once
    const auto runtime_for = [&](const StepMeasurement& row, const ModelProfile& profile) {
      const ClusterSpec cluster = ClusterOf(logs, row.workers_per_node);
      auto runtime = RuntimeModel::Create(cluster, profile, row.gpus, options_);
      CHECK(runtime.ok()) << runtime.status();  // the cluster has as many machines as it needs
      return *std::move(runtime);
    };
    for (size_t i = 0; i < rows_.size(); ++i) {
      const StepMeasurement& row = rows_[i];
      const Topology* topology = methods_[i].topology.get();
      if (row.method == "sgp") {
        const ExchangePlan plan = sgp_overlaps ? OverlappedGossipPlan() : methods_[i].plan;
        result[i] = std::log(runtime_for(row, sgp_model).Predict(plan, topology).mean_ms);
        continue;
      }
      const std::pair<int, int> world(row.gpus, row.workers_per_node);
      auto found = runtimes.find(world);
      if (found == runtimes.end()) found = runtimes.emplace(world, runtime_for(row, model)).first;
      result[i] = std::log(found->second.Predict(methods_[i].plan, topology).mean_ms);
    }
    return result;
  }

 private:
  std::vector<StepMeasurement> rows_;
  ModelProfile model_;
  PredictionOptions options_;
  std::vector<Method> methods_;
};

// What the search minimises.
struct Objective {
  const Predictor* predictor;
  Logs usual;
  bool sgp_overlaps;

  double operator()(const double* fitted) const {
    Logs logs = usual;
    std::copy(fitted, fitted + kFitted, logs.begin());
    double sum = 0;
    for (int f = 0; f < kFitted; ++f) {
      sum += Square((logs[f] - usual[f]) / kUsual[f].log_deviation);
    }
    const std::vector<double> predicted = predictor->Predict(logs, sgp_overlaps);
    for (size_t i = 0; i < predicted.size(); ++i) {
      sum += Square((predicted[i] - std::log(predictor->rows()[i].ms)) / kRowDeviation);
    }
    return sum;
  }

  static double Call(unsigned, const double* fitted, double*, void* self) {
    return (*static_cast<const Objective*>(self))(fitted);
  }
};

// Searches from *logs, which it improves; returns the objective.
double Search(nlopt_algorithm algorithm, int evaluations, Objective* objective, Logs* logs) {
  nlopt_opt search = nlopt_create(algorithm, kFitted);
  std::array<double, kFitted> low, high;
  for (int f = 0; f < kFitted; ++f) {
    low[f] = objective->usual[f] - 4 * kUsual[f].log_deviation;
    high[f] = std::min(objective->usual[f] + 4 * kUsual[f].log_deviation, std::log(kUsual[f].most));
    (*logs)[f] = std::min(std::max((*logs)[f], low[f]), high[f]);
  }
  low[kNic] = 0;
  nlopt_set_lower_bounds(search, low.data());
  nlopt_set_upper_bounds(search, high.data());
  nlopt_set_initial_step1(search, 0.3);
  nlopt_set_ftol_abs(search, 0.01);
  nlopt_set_maxeval(search, evaluations);
  nlopt_set_min_objective(search, &Objective::Call, objective);
  double value = 0;
  const nlopt_result result = nlopt_optimize(search, logs->data(), &value);
  nlopt_destroy(search);
  // Both algorithms end at the best point that they saw even where rounding stops them.
  CHECK(result > 0 || result == NLOPT_ROUNDOFF_LIMITED) << result;
  return value;
}

Logs UsualFor(absl::Span<const StepMeasurement> rows) {
  const auto by_ms = [](const StepMeasurement& a, const StepMeasurement& b) { return a.ms < b.ms; };
  const auto by_gpus = [&](const StepMeasurement& a, const StepMeasurement& b) {
    return std::pair(a.gpus, a.ms) < std::pair(b.gpus, b.ms);
  };
  const double fastest = std::min_element(rows.begin(), rows.end(), by_ms)->ms;
  const StepMeasurement& smallest = *std::min_element(rows.begin(), rows.end(), by_gpus);
  Logs logs;
  for (const Usual& usual : kUsual) logs.push_back(std::log(usual.value));
  // The fastest steps are mostly of computing.
  logs[kFixed] = std::log(0.7 * fastest);
  logs[kScaled] = std::log(0.8 * smallest.ms * smallest.gpus);
  return logs;
}

using Matrix = std::vector<std::vector<double>>;

// Of a symmetric positive definite matrix, by Gauss-Jordan elimination.
Matrix Inverse(Matrix a) {
  const int n = static_cast<int>(a.size());
  Matrix inverse(n, std::vector<double>(n, 0));
  for (int i = 0; i < n; ++i) inverse[i][i] = 1;
  for (int k = 0; k < n; ++k) {
    const double pivot = a[k][k];
    CHECK_GT(pivot, 0);
    for (int j = 0; j < n; ++j) a[k][j] /= pivot, inverse[k][j] /= pivot;
    for (int i = 0; i < n; ++i) {
      const double factor = a[i][k];
      if (i == k || factor == 0) continue;
      for (int j = 0; j < n; ++j) {
        a[i][j] -= factor * a[k][j];
        inverse[i][j] -= factor * inverse[k][j];
      }
    }
  }
  return inverse;
}

// d ln(ms) of each row by d logs: [figure][row]. Steps wide enough to see beyond a kink.
Matrix Slopes(const Predictor& predictor, const Logs& logs, bool sgp_overlaps) {
  constexpr double kStep = 0.05;
  Matrix slopes;
  for (int f = 0; f < kFigures; ++f) {
    Logs up = logs, down = logs;
    up[f] += kStep;
    down[f] -= kStep;
    std::vector<double> slope = predictor.Predict(up, sgp_overlaps);
    const std::vector<double> below = predictor.Predict(down, sgp_overlaps);
    for (size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - below[i]) / (2 * kStep);
    slopes.push_back(std::move(slope));
  }
  return slopes;
}

// Of the figures around the optimum (Laplace's approximation); the exponent's doubt included.
Matrix Covariance(const Predictor& predictor, const Logs& logs, bool sgp_overlaps) {
  const Matrix slopes = Slopes(predictor, logs, sgp_overlaps);
  Matrix precision(kFigures, std::vector<double>(kFigures, 0));
  for (int f = 0; f < kFigures; ++f) {
    for (int g = 0; g < kFigures; ++g) {
      for (size_t i = 0; i < slopes[f].size(); ++i) {
        precision[f][g] += slopes[f][i] * slopes[g][i] / Square(kRowDeviation);
      }
    }
    precision[f][f] += 1 / Square(kUsual[f].log_deviation);
  }
  return Inverse(std::move(precision));
}

template <typename Message>
void AddSpread(const char* field, double variance, Message* message) {
  Spread* spread = message->add_spread();
  spread->set_field(field);
  spread->set_relative(std::sqrt(variance));
}

}  // namespace

absl::StatusOr<ClusterFit> ClusterFit::Create(absl::Span<const StepMeasurement> rows,
                                              const ModelProfile& model) {
  if (rows.empty()) return absl::InvalidArgumentError("no row is left to fit to");
  const Predictor predictor(rows, model, kSearchSteps);
  const bool has_sgp = std::any_of(rows.begin(), rows.end(),
                                   [](const StepMeasurement& row) { return row.method == "sgp"; });
  ClusterFit fit;
  Objective objective{&predictor, UsualFor(rows), false};
  double best = HUGE_VAL;
  for (const bool overlaps : {false, true}) {
    if (overlaps && !has_sgp) continue;
    // node_gbps, communicator_gbps, nic_gbps over it
    for (const auto& network : {std::array<double, 3>{200, 50, 2}, {200, 150, 3}, {100, 12, 1.3}}) {
      objective.sgp_overlaps = overlaps;
      Logs logs = objective.usual;
      for (int i = 0; i < 3; ++i) logs[kNode + i] = std::log(network[i]);
      const double value = Search(NLOPT_LN_BOBYQA, 160, &objective, &logs);
      if (value >= best) continue;
      best = value;
      fit.logs_ = logs;
      fit.sgp_overlaps_ = overlaps;
    }
  }
  objective.sgp_overlaps = fit.sgp_overlaps_;
  Search(NLOPT_LN_SBPLX, 300, &objective, &fit.logs_);

  fit.covariance_ = Covariance(predictor, fit.logs_, fit.sgp_overlaps_);
  fit.sgp_ms_ = has_sgp ? std::exp(fit.logs_[kSgp]) : 0;
  fit.model_ = ModelWith(fit.logs_, model);
  fit.cluster_ = ClusterOf(fit.logs_, rows[0].workers_per_node);
  fit.cluster_.set_name(rows[0].cluster);
  fit.cluster_.set_source(absl::StrCat("fitted to ", rows.size(), " measured step times"));
  const auto variance = [&](Figure f) { return fit.covariance_[f][f]; };
  AddSpread("node_gbps", variance(kNode), &fit.cluster_);
  AddSpread("communicator_gbps", variance(kCommunicator), &fit.cluster_);
  AddSpread("nic_gbps",
            variance(kCommunicator) + variance(kNic) + 2 * fit.covariance_[kCommunicator][kNic],
            &fit.cluster_);
  fit.model_.clear_spread();
  AddSpread("fixed_ms", variance(kFixed), &fit.model_);
  AddSpread("scaled_ms", variance(kScaled), &fit.model_);
  AddSpread("update_ms", variance(kUpdate), &fit.model_);
  AddSpread("overlap_exponent", variance(kExponent), &fit.model_);
  *fit.cluster_.add_model() = fit.model_;

  double squares = 0;
  for (const StepMeasurement& row : rows) squares += Square(fit.Predict(row).ms / row.ms - 1);
  fit.rms_ = std::sqrt(squares / static_cast<double>(rows.size()));
  return fit;
}

FittedStep ClusterFit::Predict(const StepMeasurement& row) const {
  const Predictor predictor({row}, model_, kFinalSteps);
  const double log_ms = predictor.Predict(logs_, sgp_overlaps_)[0];
  const Matrix slopes = Slopes(predictor, logs_, sgp_overlaps_);
  // A row misses by as much as those did that were fitted.
  double variance = Square(std::max(kRowDeviation, rms_));
  for (int f = 0; f < kFigures; ++f) {
    for (int g = 0; g < kFigures; ++g) variance += slopes[f][0] * covariance_[f][g] * slopes[g][0];
  }
  const double deviation = kNinetyPercent * std::sqrt(variance);
  return {std::exp(log_ms), std::exp(log_ms - deviation), std::exp(log_ms + deviation)};
}

}  // namespace starling
