#include "optim/adam_rule.h"

#include <cmath>

namespace starling {
namespace {

// Returns base^exponent by squaring.
double Power(double base, int64_t exponent) {
  double power = 1;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2 == 1) power *= base;
  }
  return power;
}

}  // namespace

AdamCorrection CorrectionAt(const AdamConstants& constants, int64_t k) {
  return {1 / (1 - Power(constants.beta1, k)), 1 / std::sqrt(1 - Power(constants.beta2, k))};
}

AdamStep MakeAdamStep(const AdamConstants& constants, const AdamCorrection& correction, double lr,
                      double weight_decay) {
  AdamStep step;
  step.beta1 = constants.beta1;
  step.beta2 = constants.beta2;
  step.eps = constants.eps;
  step.shrink = constants.decoupled ? 1 - lr * weight_decay : 1;
  step.l2 = constants.decoupled ? 0 : weight_decay;
  step.step_size = lr * correction.first;
  step.root_second = correction.root_second;
  return step;
}

}  // namespace starling
