#include "topology/analysis.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "glog/logging.h"
#include "topology/fraction.h"

namespace starling {
namespace {

constexpr int kLargestWorldInFractions = 64;

bool AllOne(const std::vector<double>& sums) {
  return std::all_of(sums.begin(), sums.end(),
                     [](double sum) { return std::abs(sum - 1) <= kWeightTolerance; });
}

std::vector<double> Identity(int n) {
  std::vector<double> matrix(static_cast<size_t>(n) * n, 0.0);
  for (int i = 0; i < n; ++i) matrix[static_cast<size_t>(i) * n + i] = 1;
  return matrix;
}

// W times `matrix`. A group's members get the same row, computed once.
std::vector<double> Multiply(const MixingRound& round, const std::vector<double>& matrix) {
  const size_t n = round.workers();
  std::vector<double> product(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) {
    double* row = &product[i * n];
    const absl::Span<const int> group = round.group(static_cast<int>(i));
    if (!group.empty() && group.front() < static_cast<int>(i)) {
      std::copy_n(&product[group.front() * n], n, row);
      continue;
    }
    for (const Edge& edge : round.in(static_cast<int>(i))) {
      const double* from = &matrix[edge.from * n];
      for (size_t j = 0; j < n; ++j) row[j] += edge.weight * from[j];
    }
  }
  return product;
}

bool IsAverage(const std::vector<double>& matrix, int n) {
  return std::all_of(matrix.begin(), matrix.end(),
                     [n](double entry) { return std::abs(entry - 1.0 / n) <= kWeightTolerance; });
}

int64_t ExactAfterInDoubles(absl::Span<const MixingRound> rounds) {
  std::vector<double> product = Identity(rounds[0].workers());
  for (size_t k = 0; k < rounds.size(); ++k) {
    product = Multiply(rounds[k], product);
    if (IsAverage(product, rounds[0].workers())) return static_cast<int64_t>(k) + 1;
  }
  return 0;
}

// Reduces `a` (n x n) to upper bidiagonal form with the same singular values, and returns the
// diagonal and the superdiagonal interleaved: d_0, e_0, d_1, e_1, ..., d_(n-1).
std::vector<double> Bidiagonalize(std::vector<double> a, int n) {
  const size_t size = n;
  std::vector<double> band, v(size), w(size);
  // Makes v the Householder vector of the `count` numbers start, start + stride, ... and returns
  // what the reflection makes of the first; the others become 0. v = 0 if they are 0 already.
  const auto reflector = [&](const double* start, size_t stride, size_t count) {
    double norm = 0;
    for (size_t i = 0; i < count; ++i) norm = std::hypot(norm, start[i * stride]);
    std::fill(v.begin(), v.end(), 0.0);
    if (norm == 0) return 0.0;
    const double image = start[0] > 0 ? -norm : norm;
    double square = 0;
    for (size_t i = 0; i < count; ++i) {
      v[i] = start[i * stride] - (i == 0 ? image : 0.0);
      square += v[i] * v[i];
    }
    const double scale = std::sqrt(2 / square);  // I - v v^T is then the reflection
    for (size_t i = 0; i < count; ++i) v[i] *= scale;
    return image;
  };
  for (size_t k = 0; k < size; ++k) {
    band.push_back(reflector(&a[k * size + k], size, size - k));
    // From the left: rows k.. of the columns k+1.. .
    std::fill(w.begin(), w.end(), 0.0);
    for (size_t i = k; i < size; ++i) {
      for (size_t j = k + 1; j < size; ++j) w[j] += v[i - k] * a[i * size + j];
    }
    for (size_t i = k; i < size; ++i) {
      for (size_t j = k + 1; j < size; ++j) a[i * size + j] -= v[i - k] * w[j];
    }
    if (k + 1 == size) break;
    band.push_back(reflector(&a[k * size + k + 1], 1, size - k - 1));
    // From the right: columns k+1.. of the rows k+1.. .
    for (size_t i = k + 1; i < size; ++i) {
      double dot = 0;
      for (size_t j = k + 1; j < size; ++j) dot += a[i * size + j] * v[j - k - 1];
      for (size_t j = k + 1; j < size; ++j) a[i * size + j] -= dot * v[j - k - 1];
    }
  }
  return band;
}

// How many eigenvalues of the symmetric tridiagonal matrix with zero diagonal and off-diagonal
// `band` lie above x: the negative pivots of x I - T (Sturm).
int CountAbove(const std::vector<double>& band, double x) {
  int count = 0;
  double pivot = x;
  for (size_t i = 0;; ++i) {
    if (pivot < 0) ++count;
    if (i == band.size()) return count;
    // A vanishing pivot is moved by less than rounding already moved it.
    if (std::abs(pivot) < 1e-300) pivot = 1e-300;
    pivot = x - band[i] * band[i] / pivot;
  }
}

// The k-th largest singular value; 1 <= k <= n.
double SingularValue(std::vector<double> matrix, int n, int k) {
  CHECK_EQ(matrix.size(), static_cast<size_t>(n) * n);
  const std::vector<double> band = Bidiagonalize(std::move(matrix), n);
  double low = 0, high = 0;
  for (double value : band) high = std::max(high, std::abs(value));
  high *= 2;  // Gershgorin: no eigenvalue above the largest sum of two neighbours
  // Fewer than k eigenvalues above x: the k-th largest singular value is no larger than x.
  while (true) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) return low;
    (CountAbove(band, middle) >= k ? low : high) = middle;
  }
}

}  // namespace

std::vector<MixingRound> PeriodOf(const Topology& topology) {
  const int64_t period = topology.facts().period;
  std::vector<MixingRound> rounds;
  for (int64_t t = 0; t < (period > 0 ? period : kRoundsIfEndless); ++t) {
    rounds.push_back(topology.Round(t));
  }
  return rounds;
}

std::vector<double> DenseWeights(const MixingRound& round) {
  return Multiply(round, Identity(round.workers()));
}

std::vector<double> RowSums(const MixingRound& round) {
  std::vector<double> sums(round.workers(), 0.0);
  for (int rank = 0; rank < round.workers(); ++rank) {
    for (const Edge& edge : round.in(rank)) sums[rank] += edge.weight;
  }
  return sums;
}

std::vector<double> ColumnSums(const MixingRound& round) {
  std::vector<double> sums(round.workers(), 0.0);
  for (int rank = 0; rank < round.workers(); ++rank) {
    for (const Edge& edge : round.out(rank)) sums[rank] += edge.weight;
  }
  return sums;
}

bool RowsSumToOne(const MixingRound& round) { return AllOne(RowSums(round)); }
bool ColumnsSumToOne(const MixingRound& round) { return AllOne(ColumnSums(round)); }

bool IsSymmetric(const MixingRound& round) {
  for (int rank = 0; rank < round.workers(); ++rank) {
    // Both are sorted by the other end.
    const absl::Span<const Edge> in = round.in(rank), out = round.out(rank);
    if (in.size() != out.size()) return false;
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i].from != out[i].to || std::abs(in[i].weight - out[i].weight) > kWeightTolerance) {
        return false;
      }
    }
  }
  return true;
}

std::vector<std::vector<int>> Components(absl::Span<const MixingRound> rounds) {
  CHECK(!rounds.empty());
  const int n = rounds[0].workers();
  // Kosaraju: workers in order of completed visits along the edges; then visits against the
  // edges, in reverse order, each find one component. Own stacks, since paths can be n long.
  const auto neighbours = [&](int rank, bool forward) {
    std::vector<int> list;
    for (const MixingRound& round : rounds) {
      for (const Edge& edge : forward ? round.out(rank) : round.in(rank)) {
        list.push_back(forward ? edge.to : edge.from);
      }
    }
    return list;
  };
  std::vector<char> seen;
  const auto visit = [&](int start, bool forward, std::vector<int>* completed) {
    std::vector<std::pair<int, std::vector<int>>> stack;
    seen[start] = 1;
    stack.emplace_back(start, neighbours(start, forward));
    while (!stack.empty()) {
      auto& [rank, rest] = stack.back();
      if (rest.empty()) {
        completed->push_back(rank);
        stack.pop_back();
        continue;
      }
      const int next = rest.back();
      rest.pop_back();
      if (seen[next]) continue;
      seen[next] = 1;
      stack.emplace_back(next, neighbours(next, forward));
    }
  };
  std::vector<int> order;
  seen.assign(n, 0);
  for (int rank = 0; rank < n; ++rank) {
    if (!seen[rank]) visit(rank, /*forward=*/true, &order);
  }
  std::vector<std::vector<int>> components;
  seen.assign(n, 0);
  for (auto rank = order.rbegin(); rank != order.rend(); ++rank) {
    if (seen[*rank]) continue;
    visit(*rank, /*forward=*/false, &components.emplace_back());
    std::sort(components.back().begin(), components.back().end());
  }
  std::sort(components.begin(), components.end());
  return components;
}

int CountComponents(absl::Span<const MixingRound> rounds) {
  return static_cast<int>(Components(rounds).size());
}

std::vector<double> DenseProduct(absl::Span<const MixingRound> rounds) {
  CHECK(!rounds.empty());
  std::vector<double> product = Identity(rounds[0].workers());
  for (const MixingRound& round : rounds) product = Multiply(round, product);
  return product;
}

double SecondSingularValue(std::vector<double> matrix, int n) {
  return n == 1 ? 0 : SingularValue(std::move(matrix), n, 2);
}

double SmallestEigenvalue(const MixingRound& round) {
  CHECK(IsSymmetric(round));
  const int n = round.workers();
  if (!round.groups().empty()) return round.groups().size() < static_cast<size_t>(n) ? 0 : 1;
  // I - W has no negative eigenvalues, so its largest one is its largest singular value.
  std::vector<double> rest = DenseWeights(round);
  for (double& weight : rest) weight = -weight;
  for (size_t i = 0; i < rest.size(); i += n + 1) rest[i] += 1;
  return 1 - SingularValue(std::move(rest), n, 1);
}

int64_t ExactAfter(absl::Span<const MixingRound> rounds) {
  CHECK(!rounds.empty());
  const int n = rounds[0].workers();
  if (n > kLargestWorldInFractions) return ExactAfterInDoubles(rounds);
  FractionProduct product(n);
  for (size_t k = 0; k < rounds.size(); ++k) {
    if (!product.Multiply(rounds[k])) return ExactAfterInDoubles(rounds);
    if (product.IsAverage()) return static_cast<int64_t>(k) + 1;
  }
  return 0;
}

MixingAnalysis AnalyzeRounds(absl::Span<const MixingRound> rounds) {
  CHECK(!rounds.empty());
  const int n = rounds[0].workers();
  const auto all = [&](bool (*holds)(const MixingRound&)) {
    return std::all_of(rounds.begin(), rounds.end(), holds);
  };
  MixingAnalysis analysis;
  analysis.symmetric = all(IsSymmetric);
  analysis.rows_sum_to_one = all(RowsSumToOne);
  analysis.columns_sum_to_one = all(ColumnsSumToOne);
  analysis.components = CountComponents(rounds);
  analysis.exact_after = ExactAfter(rounds);
  // Rows that sum to one keep an average that is reached.
  analysis.exact = analysis.exact_after > 0 && analysis.rows_sum_to_one;
  if (!analysis.exact) analysis.rho = SecondSingularValue(DenseProduct(rounds), n);
  return analysis;
}

}  // namespace starling
