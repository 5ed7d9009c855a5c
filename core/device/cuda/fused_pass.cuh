// STARLING_DEVICE_PASS: the twin on the device of STARLING_FUSED_PASS (core/ops/fused_pass.h). At
// global scope of a .cu file that includes the rule:
//
//   STARLING_DEVICE_PASS(DescentPass, DescentRule, DescentStep);
//
// makes DescentPass work on buffers of Place::kDevice, on the queue of the thread that calls it.
#ifndef CORE_DEVICE_CUDA_FUSED_PASS_CUH_
#define CORE_DEVICE_CUDA_FUSED_PASS_CUH_

#include "core/device/cuda/launch.cuh"
#include "core/ops/fused_pass.h"

// Rules that are included from here on are for kernels.
#define STARLING_RULES_FOR_DEVICE

namespace starling::cuda {

template <template <typename> class Rule, typename T, typename Step>
void RunFusedPassOn(const ops::FusedPass& pass, const Step& step) {
  const Range range = pass.range;
  const auto slice = [&](const Buffer& buffer) { return buffer.Slice(range.offset, range.count); };
  bool aligned = true;
  // The elements of `range`.
  const auto begin = [&](const Buffer& buffer) {
    const Buffer part = slice(buffer);
    aligned &= IsAligned(part, kPiece<T>);
    return part.data;
  };
  device::FusedPass<Rule, T> body{Rule<T>(step), static_cast<T*>(begin(pass.x)),
                                  static_cast<const T*>(begin(pass.gradient))};
  for (size_t k = 0; k < pass.state.size(); ++k) {
    body.state[k] = static_cast<T*>(begin(pass.state[k]));
  }
  body.mix = TermsOf(pass.mix);
  for (int j = 0; j < body.mix.count; ++j) body.mix.values[j].data = begin(pass.mix[j].values);
  body.copy_to = {nullptr, pass.copy_to.type};
  if (pass.copy_to.count > 0) body.copy_to.data = begin(pass.copy_to);
  Launch<kPiece<T>>(body, range.count, aligned, CurrentQueue());
}

template <template <typename> class Rule, typename Step>
void RunFusedPass(const ops::FusedPass& pass, const Step& step) {
  if (pass.x.type == DType::kF64) {
    RunFusedPassOn<Rule, double>(pass, step);
  } else {
    RunFusedPassOn<Rule, float>(pass, step);
  }
}

}  // namespace starling::cuda

#define STARLING_DEVICE_PASS(Name, Rule, Step)                                           \
  namespace starling {                                                                   \
  namespace {                                                                            \
  const bool Name##IsLinked =                                                            \
      (Name##OnDevice = ::starling::cuda::RunFusedPass<device_rules::Rule, Step>, true); \
  }                                                                                      \
  }                                                                                      \
  static_assert(true, "For requiring trailing semicolon")

#endif  // CORE_DEVICE_CUDA_FUSED_PASS_CUH_
