// The scalars of Adam and its relatives (Kingma and Ba, "Adam: a method for stochastic
// optimization", ICLR 2015; decoupled decay: Loshchilov and Hutter, ICLR 2019). The arithmetic on
// elements is in adam_rule-inl.h:
//
//   x <- shrink x                        shrink = 1 - lr lambda (decoupled decay) or 1
//   g <- g + l2 x                        l2 = lambda (decay as part of the loss) or 0
//   m' = beta1 m + (1 - beta1) g
//   v' = beta2 v + (1 - beta2) g g
//   x <- x - lr / (1 - beta1^k) * m' / (sqrt(v') / sqrt(1 - beta2^k) + eps)
//
// k counts what m and v have seen: steps in Adam, windows in AccumAdam. Sums and the correction
// are in the order of PyTorch's Adam, so results agree with it up to rounding.
#ifndef OPTIM_ADAM_RULE_H_
#define OPTIM_ADAM_RULE_H_

#include <cstdint>

namespace starling {

struct AdamConstants {
  double beta1, beta2, eps;
  bool decoupled;  // weight decay shrinks x directly, unscaled by the moments
};

// What makes up for moments that start at zero.
struct AdamCorrection {
  double first = 1;        // 1 / (1 - beta1^k)
  double root_second = 1;  // 1 / sqrt(1 - beta2^k)
};

// What a pass over memory needs.
struct AdamStep {
  double beta1, beta2, eps;
  double shrink, l2;
  double step_size;    // lr / (1 - beta1^k)
  double root_second;  // 1 / sqrt(1 - beta2^k)
};

// Powers by multiplication alone, so that every C library gives the same bits. k >= 1.
AdamCorrection CorrectionAt(const AdamConstants& constants, int64_t k);

AdamStep MakeAdamStep(const AdamConstants& constants, const AdamCorrection& correction, double lr,
                      double weight_decay);

// The constants of a resolved config with these fields.
template <typename Config>
AdamConstants AdamConstantsOf(const Config& config, bool decoupled) {
  return {config.beta1(), config.beta2(), config.eps(), decoupled};
}

}  // namespace starling

#endif  // OPTIM_ADAM_RULE_H_
