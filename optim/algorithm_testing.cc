#include "optim/algorithm_testing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/types/span.h"
#include "comm/backend.h"
#include "core/create_from_text.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/membership.h"
#include "topology/analysis.h"
#include "topology/repair.h"

namespace starling {

Matrix Multiply(const Matrix& a, const Matrix& b) {
  Matrix product(a.size(), std::vector<double>(b[0].size()));
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < b.size(); ++j) {
      if (a[i][j] == 0) continue;
      for (size_t k = 0; k < b[j].size(); ++k) product[i][k] += a[i][j] * b[j][k];
    }
  }
  return product;
}

std::vector<double> MeanRow(const Matrix& x) {
  const double share = 1.0 / static_cast<double>(x.size());
  return Multiply({std::vector<double>(x.size(), share)}, x)[0];
}

double RelativeDifference(const Matrix& a, const Matrix& b) {
  CHECK(a.size() == b.size() && a[0].size() == b[0].size());
  double difference = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t k = 0; k < a[i].size(); ++k) {
      if (std::isnan(a[i][k]) || std::isnan(b[i][k])) return NAN;
      difference = std::max(difference, std::abs(a[i][k] - b[i][k]));
      largest = std::max(largest, std::abs(b[i][k]));
    }
  }
  return difference == 0 ? 0 : difference / largest;
}

bool SameBits(const Matrix& a, const Matrix& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i].size() == b[i].size() &&
                      std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(double)) == 0;
    if (!same) return false;
  }
  return true;
}

Matrix MixingMatrix(const MixingRound& round, double gamma) {
  const int n = round.workers();
  Matrix w(n, std::vector<double>(n));
  for (int i = 0; i < n; ++i) {
    w[i][i] = 1 - gamma;
    for (const Edge& edge : round.in(i)) w[i][edge.from] += gamma * edge.weight;
  }
  return w;
}

std::vector<NamedTopology> TestTopologies(int workers) {
  const int n = workers;
  std::vector<int> everyone;
  std::vector<std::vector<int>> pairs[2];
  std::vector<Edge> ring, directed, push[2];
  if (n > 1) pairs[1].push_back({0});
  for (int i = 0; i < n; ++i) {
    everyone.push_back(i);
    for (int shift : {0, 1}) {
      if ((i + shift) % 2 == 0) pairs[shift].emplace_back();
      if (i > 0 || shift == 0) pairs[shift].back().push_back(i);
    }
    std::vector<int> neighbours = {(i + n - 1) % n, i, (i + 1) % n};
    std::sort(neighbours.begin(), neighbours.end());
    neighbours.erase(std::unique(neighbours.begin(), neighbours.end()), neighbours.end());
    for (int j : neighbours) ring.push_back({i, j, 1.0 / static_cast<double>(neighbours.size())});
    directed.push_back({i, i, n > 1 ? 0.5 : 1.0});
    if (n > 1) directed.push_back({(i + 1) % n, i, 0.5});
    for (int shift : {1, 2}) {
      const int to = (i + shift) % n;
      const double kept = to == i ? 1.0 : static_cast<double>(shift) / (i + shift + 1);
      push[shift - 1].push_back({i, i, kept});
      if (to != i) push[shift - 1].push_back({to, i, 1 - kept});
    }
  }
  TopologyFacts facts;
  facts.columns_sum_to_one = true;
  const auto periodic = [&](std::vector<MixingRound> rounds) {
    return std::make_shared<PeriodicTopology>(n, std::move(rounds), facts);
  };
  std::vector<NamedTopology> topologies;
  topologies.push_back({"directed_ring", periodic({MixingRound::FromEdges(n, directed)})});
  facts.symmetric = true;
  topologies.push_back({"ring", periodic({MixingRound::FromEdges(n, ring)})});
  topologies.push_back({"complete", periodic({MixingRound::FromGroups(n, {everyone})})});
  if (n > 1) {
    topologies.push_back({"pairs", periodic({MixingRound::FromGroups(n, pairs[0]),
                                             MixingRound::FromGroups(n, pairs[1])})});
    facts.symmetric = facts.rows_sum_to_one = false;
    topologies.push_back({"push_ring", periodic({MixingRound::FromEdges(n, push[0]),
                                                 MixingRound::FromEdges(n, push[1])})});
  }
  return topologies;
}

std::vector<NamedTopology> RegisteredTopologies(int workers) {
  std::vector<NamedTopology> topologies;
  for (const std::string& name : Registry<Topology>::Global().Names()) {
    PluginRef ref;
    ref.set_name(name);
    Topology::Context context;
    context.workers = workers;
    context.workers_per_node = workers % 2 == 0 ? 2 : 1;
    auto topology = Registry<Topology>::Global().Create(ref, context);
    if (topology.ok()) topologies.push_back({name, std::move(*topology)});
  }
  return topologies;
}

absl::Status RunWorkers(int workers, int workers_per_node,
                        const std::function<absl::Status(Communicator*)>& body) {
  PluginRef ref;
  ref.set_name("threads");
  ASSIGN_OR_RETURN(auto backend, Registry<Backend>::Global().Create(
                                     ref, {workers, workers_per_node, /*cores=*/2}));
  return backend->Run(body);
}

Quadratics Quadratics::Heterogeneous(int workers) {
  Quadratics objective;
  for (int i = 0; i < workers; ++i) {
    Random random(StreamKey(3, Purpose::kTest, i, 0));
    objective.curvature.emplace_back();
    objective.center.emplace_back();
    for (int64_t k = 0; k < kTestParameters; ++k) {
      objective.curvature.back().push_back(0.5 + 1.5 * random.Uniform());
      objective.center.back().push_back(3 * random.Normal());
    }
  }
  return objective;
}

std::vector<double> Quadratics::Optimum() const {
  std::vector<double> optimum;
  for (size_t k = 0; k < center[0].size(); ++k) {
    double pull = 0, weight = 0;
    for (size_t i = 0; i < center.size(); ++i) {
      pull += curvature[i][k] * center[i][k];
      weight += curvature[i][k];
    }
    optimum.push_back(pull / weight);
  }
  return optimum;
}

Quadratics Quadratics::Mean() const { return {{MeanRow(curvature)}, {Optimum()}}; }

Layout TestLayout(int64_t bucket_bytes, DType type) {
  std::vector<TensorInfo> tensors(4);
  tensors[0].shape = {5, 7};
  tensors[1].shape = {40};
  tensors[2].shape = {3};
  tensors[3].shape = {2, 64};
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].name = std::string(1, static_cast<char>('a' + i));
    tensors[i].decay = DecaysByDefault(tensors[i].shape);
  }
  return MakeLayout(std::move(tensors), bucket_bytes, SizeOf(type));
}

namespace {

// The registered optimizer of `run`, once per worker, in double and without any mixing.
class LocalRules {
 public:
  explicit LocalRules(const TestRun& run) : layout_(TestLayout(1, DType::kF64)) {
    for (int i = 0; i < run.workers(); ++i) {
      auto optimizer = CreateFromText<Optimizer>(run.optimizer, run.optimizer_config);
      CHECK_OK(optimizer);
      CHECK_OK((*optimizer)->Start(layout_, DType::kF64, Place::kHost));
      optimizers_.push_back(std::move(*optimizer));
    }
  }

  void Update(const Matrix& gradient, double lr, Matrix* x) {
    for (size_t i = 0; i < optimizers_.size(); ++i) {
      std::vector<double> arena = Padded((*x)[i]), g = Padded(gradient[i]);
      UpdateArgs args;
      args.x = AsBuffer(absl::MakeSpan(arena));
      args.gradient = AsBuffer(absl::MakeSpan(g));
      args.lr = lr;
      optimizers_[i]->BeginStep();
      CHECK_OK(optimizers_[i]->Update(args));
      auto to = (*x)[i].begin();
      for (const TensorInfo& tensor : layout_.tensors) {
        to = std::copy_n(arena.begin() + tensor.offset, tensor.count, to);
      }
    }
  }

 private:
  std::vector<double> Padded(const std::vector<double>& row) const {
    std::vector<double> arena(layout_.size);
    auto from = row.begin();
    for (const TensorInfo& tensor : layout_.tensors) {
      std::copy_n(from, tensor.count, arena.begin() + tensor.offset);
      from += tensor.count;
    }
    return arena;
  }

  Layout layout_;
  std::vector<std::unique_ptr<Optimizer>> optimizers_;
};

}  // namespace

std::vector<Membership> MembershipsOf(const TestRun& run,
                                      std::vector<std::shared_ptr<const Topology>>* owned) {
  std::vector<Membership> memberships(1);
  memberships[0].alive.assign(run.workers(), true);
  memberships[0].topology = run.topology.get();
  for (const TestChange& change : run.changes) {
    Membership next;
    next.epoch = static_cast<int64_t>(memberships.size());
    next.alive.assign(run.workers(), true);
    for (int rank : change.away) next.alive[rank] = false;
    if (run.topology != nullptr) {
      auto repaired = RepairTopology(*run.topology, next.alive);
      CHECK_OK(repaired);
      owned->push_back(*std::move(repaired));
      next.topology = owned->back().get();
    }
    memberships.push_back(std::move(next));
  }
  return memberships;
}

namespace {

// Steps of a world that stays as it is.
void StepDense(const TestRun& run, DenseReference reference, int64_t begin, int64_t end,
               Matrix* x) {
  const int n = run.workers();
  std::unique_ptr<LocalRules> rules;
  if (!run.optimizer.empty()) rules = std::make_unique<LocalRules>(run);
  for (int64_t step = begin; step < end; ++step) {
    DenseStep dense;
    dense.step = step;
    dense.lr = run.lr(step);
    dense.mixes = run.topology != nullptr && step % run.every_steps == 0;
    dense.w = Matrix(n, std::vector<double>(n));
    for (int i = 0; i < n; ++i) dense.w[i][i] = 1;
    if (dense.mixes) {
      dense.w = MixingMatrix(run.topology->Round(step / run.every_steps), run.mixing.gamma);
    }
    dense.gradient = [&](const Matrix& at) {
      Matrix gradient = at;
      for (int i = 0; i < n; ++i) {
        for (int64_t k = 0; k < kTestParameters; ++k) {
          gradient[i][k] = run.objective.Gradient(i, k, at[i][k]);
        }
      }
      return gradient;
    };
    dense.update = [&](const Matrix& gradient, Matrix* at) {
      if (rules != nullptr) return rules->Update(gradient, dense.lr, at);
      for (int i = 0; i < n; ++i) {
        for (int64_t k = 0; k < kTestParameters; ++k) (*at)[i][k] -= dense.lr * gradient[i][k];
      }
    };
    reference(dense, x);
  }
}

}  // namespace

Matrix TrainDense(const TestRun& run, DenseReference reference) {
  CHECK(run.changes.empty() || run.optimizer.empty()) << "moments would not go on";
  Matrix x =
      run.x0.empty() ? Matrix(run.workers(), std::vector<double>(kTestParameters, 1.0)) : run.x0;
  std::vector<std::shared_ptr<const Topology>> owned;
  const std::vector<Membership> memberships = MembershipsOf(run, &owned);
  for (size_t m = 0; m < memberships.size(); ++m) {
    const Membership& now = memberships[m];
    for (int rank : now.living()) {
      if (m == 0 || memberships[m - 1].alive[rank]) continue;
      x[rank] = x[GiverTo(rank, memberships[m - 1], now)];
    }
    TestRun part = run;
    part.objective = {};
    Matrix part_x;
    for (int rank : now.living()) {
      part.objective.curvature.push_back(run.objective.curvature[rank]);
      part.objective.center.push_back(run.objective.center[rank]);
      part_x.push_back(x[rank]);
    }
    if (run.topology != nullptr) {
      part.topology = std::make_shared<PeriodicTopology>(
          part.workers(), AmongLiving(PeriodOf(*now.topology), now.alive), now.topology->facts());
    }
    StepDense(part, reference, m == 0 ? 0 : run.changes[m - 1].step,
              m < run.changes.size() ? run.changes[m].step : run.steps, &part_x);
    for (size_t k = 0; k < part_x.size(); ++k) x[now.living()[k]] = part_x[k];
  }
  return x;
}

}  // namespace starling
