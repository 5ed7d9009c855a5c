// The loop behind core/ops/fused_pass.h, and the macro that dispatches it. Included by
// *_kernel.cc files only; see core/ops/vector-inl.h for what must stand before the include.

#include "core/ops/convert-inl.h"
#include "core/ops/fused_pass.h"
#include "core/ops/vector-inl.h"

// The guard is a toggle, because this is included once per vector unit.
#if defined(CORE_OPS_FUSED_PASS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CORE_OPS_FUSED_PASS_INL_H_
#undef CORE_OPS_FUSED_PASS_INL_H_
#else
#define CORE_OPS_FUSED_PASS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace ops {
namespace HWY_NAMESPACE {

// kTyped: some sources or the copy have another type than T.
template <template <typename> class Rule, typename T, bool kTyped, typename Step>
HWY_INLINE void RunFusedPassOn(const FusedPass& pass, const Step& step) {
  using V = Lanes<hn::ScalableTag<T>>;
  constexpr int kStates = Rule<V>::kStates;
  const Rule<V> rule(step);
  T* const x = static_cast<T*>(pass.x.data);
  const T* const gradient = static_cast<const T*>(pass.gradient.data);
  const Buffer copy_to = pass.copy_to;
  T* state[kStates + 1];
  for (int k = 0; k < kStates; ++k) state[k] = static_cast<T*>(pass.state[k].data);
  const absl::Span<const Source> mix = pass.mix;

  const int64_t end = pass.range.offset + pass.range.count;
  for (int64_t i = pass.range.offset; i < end; i += V::kCount) {
    V value = mix.empty() ? V::Load(x + i) : kTyped ? MixAny<V>(mix, i) : Mix<V>(mix, i);
    V s[kStates + 1];
    for (int k = 0; k < kStates; ++k) s[k] = V::Load(state[k] + i);
    rule(value, V::Load(gradient + i), s);
    value.Store(x + i);
    for (int k = 0; k < Rule<V>::kWritten; ++k) s[k].Store(state[k] + i);
    if (copy_to.count == 0) continue;
    if (kTyped) {
      StoreAny(value, copy_to, i);
    } else {
      value.Store(static_cast<T*>(copy_to.data) + i);
    }
  }
}

template <template <typename> class Rule, typename T, typename Step>
HWY_INLINE void RunFusedPassOn(const FusedPass& pass, const Step& step) {
  bool typed = pass.copy_to.count > 0 && pass.copy_to.type != pass.x.type;
  for (const Source& source : pass.mix) typed |= source.values.type != pass.x.type;
  if (typed) {
    RunFusedPassOn<Rule, T, true>(pass, step);
  } else {
    RunFusedPassOn<Rule, T, false>(pass, step);
  }
}

template <template <typename> class Rule, typename Step>
HWY_INLINE void RunFusedPass(const FusedPass& pass, const Step& step) {
  if (pass.x.type == DType::kF32) {
    RunFusedPassOn<Rule, float>(pass, step);
  } else {
    RunFusedPassOn<Rule, double>(pass, step);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ops
}  // namespace starling
HWY_AFTER_NAMESPACE();

#endif  // CORE_OPS_FUSED_PASS_INL_H_

// STARLING_FUSED_PASS(Name, Rule, Step), at global scope: defines
//
//   void starling::Name(const ops::FusedPass& pass, const Step& step);
//
// for the template starling::HWY_NAMESPACE::Rule. Each vector unit gets a function; with the last
// (HWY_ONCE) comes the table of all of them and the function that looks into it.
#define STARLING_FUSED_PASS_ON_UNIT(Name, Rule, Step)                           \
  HWY_BEFORE_NAMESPACE();                                                       \
  namespace starling {                                                          \
  namespace HWY_NAMESPACE {                                                     \
  void Name##OnUnit(const ::starling::ops::FusedPass& pass, const Step& step) { \
    ::starling::ops::HWY_NAMESPACE::RunFusedPass<Rule>(pass, step);             \
  }                                                                             \
  }                                                                             \
  }                                                                             \
  HWY_AFTER_NAMESPACE()

#undef STARLING_FUSED_PASS
#if HWY_ONCE
#define STARLING_FUSED_PASS(Name, Rule, Step)                                            \
  STARLING_FUSED_PASS_ON_UNIT(Name, Rule, Step);                                         \
  namespace starling {                                                                   \
  HWY_EXPORT(Name##OnUnit);                                                              \
  void Name(const ops::FusedPass& pass, const Step& step) {                              \
    const Place place = ops::fused_pass_internal::Check(                                 \
        pass, HWY_STATIC_DISPATCH(Rule) < float > ::kStates, Name##OnDevice != nullptr); \
    if (place == Place::kHost) HWY_DYNAMIC_DISPATCH(Name##OnUnit)(pass, step);           \
    if (place == Place::kDevice) Name##OnDevice(pass, step);                             \
  }                                                                                      \
  }                                                                                      \
  static_assert(true, "For requiring trailing semicolon")
#else
#define STARLING_FUSED_PASS STARLING_FUSED_PASS_ON_UNIT
#endif
