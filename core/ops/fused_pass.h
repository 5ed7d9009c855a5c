// One pass over memory that mixes, updates and copies out: the shape of every optimizer here.
//
// For each element i of `range`, with ONE read and one write per value:
//
//   m       = sum_j mix[j].weight * mix[j].values[i], added in order;  x[i] if there is no source
//   m', s'  = rule(m, gradient[i], state[0][i], state[1][i], ...)
//   x[i]    = m';   copy_to[i] = m';   state[k][i] = s'[k]
//
// The rule is a class template over a value type V, which is a vector of some width (or a plain
// float or double), written once:
//
//   struct DescentStep { double lr, weight_decay; };       // what changes from pass to pass
//
//   template <typename V>
//   class DescentRule {
//    public:
//     static constexpr int kStates = 0;    // number of state buffers that it reads
//     static constexpr int kWritten = 0;   // of these, the first so many are written back
//     explicit DescentRule(const DescentStep& step)        // scalars become V once per pass
//         : lr_(step.lr), weight_decay_(step.weight_decay) {}
//     void operator()(V& x, V g, V* state) const { x = x - lr_ * (g + weight_decay_ * x); }
//     ...
//
// with nothing but + - * / and Sqrt, so that every processor gives the same bits. A file
// descent_kernel.cc makes a function of it, dispatched to the processor's vector unit at run time:
//
//   #include "descent_kernel.h"         // DescentStep; declares DescentPass
//
//   #undef HWY_TARGET_INCLUDE           // Highway compiles this file once per vector unit
//   #define HWY_TARGET_INCLUDE "optim/descent/descent_kernel.cc"
//   #include "core/ops/fused_pass-inl.h"
//
//   HWY_BEFORE_NAMESPACE();
//   namespace starling {
//   namespace HWY_NAMESPACE {
//   ...                                 // DescentRule, which calls `using ops::Sqrt; Sqrt(v)`
//   }  // namespace HWY_NAMESPACE
//   }  // namespace starling
//   HWY_AFTER_NAMESPACE();
//
//   STARLING_FUSED_PASS(DescentPass, DescentRule, DescentStep);
//
// The last line defines
//
//   void starling::DescentPass(const ops::FusedPass& pass, const DescentStep& step);
#ifndef CORE_OPS_FUSED_PASS_H_
#define CORE_OPS_FUSED_PASS_H_

#include <cmath>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"

namespace starling::ops {

// All buffers have x's count, and x's type (F32 or F64); the values of `mix` and `copy_to` may have
// a narrower one instead (F32, F16, BF16), from which they are widened, and to which x is rounded
// to the nearest, ties to even. Arithmetic is in x's type. Buffers are equal or do not overlap.
struct FusedPass {
  Buffer x;                        // read if `mix` is empty or names it; written
  Buffer gradient;                 // read
  absl::Span<const Source> mix;    // may include x
  Buffer copy_to;                  // written, unless it has no elements. May be one of `mix`
  absl::Span<const Buffer> state;  // as many as the rule has
  Range range;                     // elements of these buffers; multiples of 32
};

// The square root under the name that rules use, for V = float and double.
inline float Sqrt(float x) { return std::sqrt(x); }
inline double Sqrt(double x) { return std::sqrt(x); }

namespace fused_pass_internal {

// Whether there is memory to work on; on Place::kVirtual there is none. CHECK-fails if buffers
// disagree, do not hold `range`, or are not `states` in number.
bool Check(const FusedPass& pass, int states);

}  // namespace fused_pass_internal
}  // namespace starling::ops

#endif  // CORE_OPS_FUSED_PASS_H_
