// The problem behind the model `quadratic`, for tests that compare with its optimum.
//
// Worker i has f_i(x) = 1/2 sum_k a_ik (x_k - c_ik)^2 with a_ik ~ U[0.5, 2) and c_ik ~ N(0, 9);
// the common objective is f(x) = 1/n sum_i f_i(x). Its optimum is, in every coordinate,
// x*_k = sum_i a_ik c_ik / sum_i a_ik, where the workers' own gradients do not vanish: methods
// with a heterogeneity bias stop elsewhere.
#ifndef MODELS_QUADRATIC_QUADRATIC_H_
#define MODELS_QUADRATIC_QUADRATIC_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace starling {

// One worker's f_i.
struct QuadraticTerm {
  std::vector<double> curvatures;  // a_ik
  std::vector<double> centres;     // c_ik

  double Value(absl::Span<const double> x) const;
};

// Draws f_i of `worker`: for each coordinate first a, then c. Depends on nothing but the
// arguments; the first coordinates are the same for every dimension.
QuadraticTerm DrawQuadratic(uint64_t seed, int worker, int64_t dimension);

// The mean of `workers` such terms, f(x) = value_at_optimum + 1/2 sum_k a_k (x_k - x*_k)^2.
struct QuadraticObjective {
  std::vector<double> curvatures;  // a_k = 1/n sum_i a_ik
  std::vector<double> optimum;     // x*
  double value_at_optimum = 0;

  double Value(absl::Span<const double> x) const;
};

// Cost: O(workers * dimension).
QuadraticObjective MeanQuadratic(uint64_t seed, int workers, int64_t dimension);

}  // namespace starling

#endif  // MODELS_QUADRATIC_QUADRATIC_H_
