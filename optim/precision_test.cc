// mixing.precision: algorithms whose values travel in a narrower type than they are held in.
#include <cmath>
#include <deque>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"
#include "topology/topology.h"

namespace starling {
namespace {

constexpr int kWorkersPerNode = 2;  // of Train

std::vector<double> Rounded(std::vector<double> row, DType type) {
  const Buffer values = AsBuffer(absl::MakeSpan(row));
  const Arena narrow(values.count, type);
  ops::Convert(values, narrow.buffer());
  ops::Convert(narrow.buffer(), values);
  return row;
}

Matrix Rounded(Matrix x, DType type) {
  for (auto& row : x) row = Rounded(row, type);
  return x;
}

// The sum over `group` as its members get it: of narrow rows, added in float by rank on every
// machine and then by machine, each of the two rounded; by rank alone if machines differ.
std::vector<double> GroupSum(absl::Span<const int> group, const Matrix& rows, DType type) {
  std::map<int, std::vector<int>> machines;
  for (int rank : group) machines[rank / kWorkersPerNode].push_back(rank);
  for (const auto& [machine, members] : machines) {
    if (members.size() == machines.begin()->second.size()) continue;
    machines = {{0, {group.begin(), group.end()}}};
    break;
  }
  const auto add = [type](const Matrix& terms) {
    std::vector<float> sum(terms[0].size());
    for (const auto& row : terms) {
      for (size_t k = 0; k < sum.size(); ++k) sum[k] += static_cast<float>(row[k]);
    }
    return Rounded(std::vector<double>(sum.begin(), sum.end()), type);
  };
  Matrix of_machines;
  for (const auto& [machine, members] : machines) {
    Matrix terms;
    for (int rank : members) terms.push_back(rows[rank]);
    of_machines.push_back(add(terms));
  }
  return add(of_machines);
}

// gamma (W - I) applied to what was sent.
Matrix Difference(const MixingRound& round, double gamma, const Matrix& sent, DType type) {
  const int n = round.workers();
  Matrix difference = sent;
  for (int i = 0; i < n; ++i) {
    std::vector<double> mixed(sent[i].size());
    const auto group = round.group(i);
    if (group.size() > 1) {
      mixed = GroupSum(group, sent, type);
      for (double& value : mixed) value /= static_cast<double>(group.size());
    } else {
      for (const Edge& edge : round.in(i)) {
        for (size_t k = 0; k < mixed.size(); ++k) mixed[k] += edge.weight * sent[edge.from][k];
      }
    }
    for (size_t k = 0; k < mixed.size(); ++k) {
      difference[i][k] = gamma * (mixed[k] - sent[i][k]);
    }
  }
  return difference;
}

void AddTo(const Matrix& difference, Matrix* x) {
  for (size_t i = 0; i < x->size(); ++i) {
    for (size_t k = 0; k < (*x)[i].size(); ++k) (*x)[i][k] += difference[i][k];
  }
}

// Gossip as it is with a narrow precision.
DenseReference ReferenceOf(const TestRun& run, bool awc) {
  std::deque<Matrix> sent;  // the oldest first
  return [run, awc, sent](const DenseStep& step, Matrix* x) mutable {
    const DType type = *run.mixing.precision;
    const int s = run.mixing.staleness;
    const auto mix = [&] {
      sent.push_back(Rounded(*x, type));
      if (static_cast<int>(sent.size()) <= s) return;
      AddTo(Difference(run.topology->Round(step.step - s), run.mixing.gamma, sent.front(), type),
            x);
      sent.pop_front();
    };
    const Matrix gradient = step.gradient(*x);
    if (awc) mix();
    step.update(gradient, x);
    if (!awc) mix();
  };
}

TestRun RunOf(const char* order, const NamedTopology& topology, DType precision) {
  TestRun run;
  run.algorithm = "gossip";
  run.config = absl::StrCat("order: ", order);
  run.topology = topology.topology;
  run.objective = Quadratics::Heterogeneous(topology.topology->size());
  run.mixing.precision = precision;
  return run;
}

Matrix Trained(const TestRun& run) {
  const auto result = Train(run);
  CHECK_OK(result);
  return result->x;
}

TEST(Precision, GossipEqualsTheDenseFormula) {
  for (int n : {2, 3, 8}) {
    for (const NamedTopology& topology : TestTopologies(n)) {
      for (DType precision : {DType::kF16, DType::kBF16, DType::kF32}) {
        for (const char* order : {"AWC", "ATC"}) {
          for (int staleness : {0, 2}) {
            const bool awc = std::string(order) == "AWC";
            TestRun run = RunOf(order, topology, precision);
            run.mixing.gamma = staleness == 0 ? 0.9 : 0.4;
            run.mixing.staleness = awc ? staleness : 0;
            run.bucket_bytes = n == 3 ? 1 : 600;
            EXPECT_LE(RelativeDifference(Trained(run), TrainDense(run, ReferenceOf(run, awc))),
                      1e-12)
                << topology.name << " of " << n << ", " << DTypeName(precision) << ", " << order
                << ", staleness " << staleness;
          }
        }
      }
    }
  }
}

TEST(Precision, ValuesOfTheParametersTypeChangeNothing) {
  for (const NamedTopology& topology : TestTopologies(3)) {
    TestRun run = RunOf("AWC", topology, DType::kF64);
    const Matrix x = Trained(run);
    run.mixing.precision.reset();
    EXPECT_TRUE(SameBits(Trained(run), x)) << topology.name;
  }
}

TEST(Precision, BitsDependNeitherOnBucketsNorOverlapNorRestarts) {
  for (const NamedTopology& topology : TestTopologies(5)) {
    for (int staleness : {0, 2}) {
      for (const char* order : {"AWC", "ATC"}) {
        if (staleness > 0 && std::string(order) == "ATC") continue;
        TestRun run = RunOf(order, topology, DType::kBF16);
        run.type = DType::kF32;
        run.optimizer = "adam";
        run.mixing.staleness = staleness;
        run.mixing.gamma = staleness > 0 ? 0.4 : 1;
        run.bucket_bytes = 600;
        run.every_steps = 2;
        const Matrix expected = Trained(run);
        for (int64_t bucket_bytes : {1, 1000000}) {
          run.bucket_bytes = bucket_bytes;
          run.mixing.overlap = false;
          EXPECT_TRUE(SameBits(Trained(run), expected)) << topology.name << ", " << order;
          run.mixing.overlap = true;
          run.restart_after = bucket_bytes == 1 ? 5 : 6;
          run.estimate_every = 3;
          EXPECT_TRUE(SameBits(Trained(run), expected)) << topology.name << ", " << order;
          run.restart_after = run.estimate_every = 0;
        }
      }
    }
  }
}

// Without gradients. Over edges exactly; a group's sum rounds, and all its members take that over.
TEST(Precision, KeepsTheAverage) {
  for (const NamedTopology& topology : TestTopologies(4)) {
    for (int staleness : {0, 2}) {
      TestRun run = RunOf("AWC", topology, DType::kBF16);
      run.mixing.staleness = staleness;
      run.mixing.gamma = staleness > 0 ? 0.4 : 1;
      run.x0 = run.objective.center;
      for (auto& row : run.objective.curvature) row.assign(row.size(), 0);
      const auto result = Train(run);
      ASSERT_TRUE(result.ok()) << result.status();
      const double drift = RelativeDifference({result->average}, {MeanRow(run.x0)});
      const bool edges = topology.topology->Round(0).groups().empty();
      if (edges) {
        EXPECT_LE(drift, 1e-12) << topology.name;
      } else {
        EXPECT_LE(drift, run.steps * std::ldexp(1, -8)) << topology.name;
        EXPECT_GT(drift, 1e-6) << "nothing was rounded";
      }
    }
  }
}

int64_t BytesOf(const TestRun& run) {
  const auto result = Train(run);
  CHECK_OK(result);
  return result->bytes_sent;
}

TEST(Precision, NarrowValuesTravel) {
  for (const NamedTopology& topology : TestTopologies(4)) {
    for (const char* algorithm : {"gossip", "allreduce"}) {
      TestRun run = RunOf("AWC", topology, DType::kF32);
      if (std::string(algorithm) == "allreduce") run.config = "";
      run.algorithm = algorithm;
      run.type = DType::kF32;
      const int64_t bytes = BytesOf(run);
      for (DType precision : {DType::kF16, DType::kBF16}) {
        run.mixing.precision = precision;
        EXPECT_EQ(2 * BytesOf(run), bytes) << topology.name << ", " << algorithm;
      }
    }
  }
}

TEST(Precision, AllReduceSumsRoundedGradients) {
  for (int n : {1, 2, 3, 8}) {
    for (DType precision : {DType::kF16, DType::kBF16, DType::kF32}) {
      TestRun run = RunOf("AWC", TestTopologies(n)[0], precision);
      run.algorithm = "allreduce";
      run.config = "";
      std::vector<int> everyone(n);
      std::iota(everyone.begin(), everyone.end(), 0);
      const auto reference = [&](const DenseStep& step, Matrix* x) {
        Matrix gradient = step.gradient(*x);
        if (n > 1) {
          std::vector<double> mean = GroupSum(everyone, Rounded(gradient, precision), precision);
          for (double& value : mean) value /= n;
          gradient.assign(n, mean);
        }
        step.update(gradient, x);
      };
      const Matrix x = Trained(run);
      EXPECT_LE(RelativeDifference(x, TrainDense(run, reference)), 1e-12)
          << n << " workers, " << DTypeName(precision);
      for (const auto& row : x) EXPECT_TRUE(SameBits({row}, {x[0]}));
    }
  }
}

}  // namespace
}  // namespace starling
