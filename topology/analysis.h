// What can be computed of mixing rounds: sums, symmetry, connectivity, how fast they average.
//
// Functions of several rounds take them in order of use: the product of W_0, W_1, ... is
// P = ... W_1 W_0, the matrix that a whole pass through them applies. PeriodOf lists the rounds of
// a topology. Matrices are n x n, row-major, row = receiver.
#ifndef TOPOLOGY_ANALYSIS_H_
#define TOPOLOGY_ANALYSIS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "topology/topology.h"

namespace starling {

// The rounds of one period. Of a topology that never repeats: its first `kRoundsIfEndless`.
inline constexpr int64_t kRoundsIfEndless = 16;
std::vector<MixingRound> PeriodOf(const Topology& topology);

// W.
std::vector<double> DenseWeights(const MixingRound& round);

std::vector<double> RowSums(const MixingRound& round);
std::vector<double> ColumnSums(const MixingRound& round);

// Sums of weights that should be 1, and weights that should be equal, may differ by rounding.
inline constexpr double kWeightTolerance = 1e-12;

// Sums within kWeightTolerance of 1.
bool RowsSumToOne(const MixingRound& round);
bool ColumnsSumToOne(const MixingRound& round);

// W_ij = W_ji within kWeightTolerance.
bool IsSymmetric(const MixingRound& round);

// The strongly connected components of the union graph, which has an edge from j to i if W_ij > 0
// in some round. One: everything that a worker knows reaches every other worker if the rounds
// repeat. More: their average is never reached. Sorted, and by their lowest ranks.
std::vector<std::vector<int>> Components(absl::Span<const MixingRound> rounds);
int CountComponents(absl::Span<const MixingRound> rounds);

// P, in double precision; each factor costs edges * n.
std::vector<double> DenseProduct(absl::Span<const MixingRound> rounds);

// The second largest singular value, 0 for n = 1. For a doubly stochastic matrix: the factor by
// which it shrinks the workers' disagreement (distance to the mean) at least, the norm of P - J.
//
// Householder bidiagonalisation, then bisection with Sturm counts on the tridiagonal matrix of
// Golub and Kahan, whose eigenvalues are plus and minus the singular values (Golub, Van Loan,
// "Matrix Computations", sections 5.4 and 8.6). Backward stable: the error is a small multiple of
// 1e-16 times the largest singular value. Costs 8/3 n^3 operations: 0.1 s for n = 256.
double SecondSingularValue(std::vector<double> matrix, int n);

// The smallest eigenvalue of a symmetric W whose rows sum to one: 0 for block averaging (1 if every
// worker is alone), else to about 1e-15, as above. CHECK-fails if W is not symmetric.
double SmallestEigenvalue(const MixingRound& round);

// Returns the smallest k such that the first k of `rounds` multiply to exactly J (all entries
// 1/n); 0 if no k does.
//
// For n <= 64 decided in exact fractions (fraction.h); beyond, and for weights that are no small
// fractions, in double precision with a tolerance of 1e-12 per entry.
int64_t ExactAfter(absl::Span<const MixingRound> rounds);

// All of it, for one pass through `rounds` (at least one).
struct MixingAnalysis {
  bool symmetric = false;        // every round
  bool rows_sum_to_one = false;  // of every round
  bool columns_sum_to_one = false;
  int components = 1;
  bool exact = false;       // P = J
  int64_t exact_after = 0;  // as ExactAfter
  double rho = 0;           // second singular value of P; exactly 0 if `exact`

  bool doubly_stochastic() const { return rows_sum_to_one && columns_sum_to_one; }
};
MixingAnalysis AnalyzeRounds(absl::Span<const MixingRound> rounds);

}  // namespace starling

#endif  // TOPOLOGY_ANALYSIS_H_
