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
//     STARLING_RULE explicit DescentRule(const DescentStep& step)  // scalars become V once per
//     pass
//         : lr_(step.lr), weight_decay_(step.weight_decay) {}
//     STARLING_RULE void operator()(V& x, V g, V* state) const {
//       x = x - lr_ * (g + weight_decay_ * x);
//     }
//     ...
//
// with nothing but + - * / and Sqrt (`using ops::Sqrt; Sqrt(v)`), so that every processor gives the
// same bits. It stands in a descent_rule-inl.h as core/ops/rule-inl.h says. The pass is declared in
// descent_kernel.h,
//
//   STARLING_DECLARE_FUSED_PASS(DescentPass, DescentStep);
//
// which means
//
//   void DescentPass(const ops::FusedPass& pass, const DescentStep& step);
//
// and defined in descent_kernel.cc, dispatched to the processor's vector unit at run time:
//
//   #include "descent_kernel.h"
//
//   #undef HWY_TARGET_INCLUDE           // Highway compiles this file once per vector unit
//   #define HWY_TARGET_INCLUDE "optim/descent/descent_kernel.cc"
//   #include "optim/descent/descent_rule-inl.h"
//
//   STARLING_FUSED_PASS(DescentPass, DescentRule, DescentStep);
//
// A file descent_kernel.cu, which is built with --config=cuda, lets it work on the device too:
//
//   #include "core/device/cuda/fused_pass.cuh"
//   #include "optim/descent/descent_rule-inl.h"
//
//   STARLING_DEVICE_PASS(DescentPass, DescentRule, DescentStep);
#ifndef CORE_OPS_FUSED_PASS_H_
#define CORE_OPS_FUSED_PASS_H_

#include <cmath>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/device/number.h"
#include "core/layout.h"

// At namespace starling, in a header: declares a pass, and where its twin on the device is kept,
// if the program has one.
#define STARLING_DECLARE_FUSED_PASS(Name, Step)            \
  void Name(const ops::FusedPass& pass, const Step& step); \
  inline void (*Name##OnDevice)(const ops::FusedPass&, const Step&) = nullptr

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
STARLING_HOST_DEVICE float Sqrt(float x) { return sqrtf(x); }
STARLING_HOST_DEVICE double Sqrt(double x) { return sqrt(x); }

namespace fused_pass_internal {

// Where all buffers are. CHECK-fails if they disagree, do not hold `range`, or are not `states` in
// number, and, on the device, if the program has no twin of the pass there.
Place Check(const FusedPass& pass, int states, bool has_twin);

}  // namespace fused_pass_internal
}  // namespace starling::ops

#endif  // CORE_OPS_FUSED_PASS_H_
