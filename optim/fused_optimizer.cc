#include "optim/fused_optimizer.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/device/arena.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {

absl::Status FusedOptimizer::Start(const Layout& layout, DType type, Place place) {
  if (type != DType::kF32 && type != DType::kF64) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimizers work in F32 and F64, not in ", DTypeName(type)));
  }
  step_ = 0;
  size_ = layout.size;
  state_.clear();
  for (size_t k = 0; k < state_names_.size(); ++k) {
    ASSIGN_OR_RETURN(Arena arena, MakeArena(layout.size, type, place));
    state_.push_back(std::move(arena));
  }
  segments_.clear();
  for (const TensorInfo& tensor : layout.tensors) {
    const bool decays = tensor.decay || settings_.decay_all;
    const double weight_decay = decays ? settings_.weight_decay : 0;
    if (!segments_.empty() && segments_.back().weight_decay == weight_decay) continue;
    if (!segments_.empty()) {
      segments_.back().range.count = tensor.offset - segments_.back().range.offset;
    }
    segments_.push_back({{tensor.offset, layout.size - tensor.offset}, weight_decay});
  }
  return absl::OkStatus();
}

absl::Status FusedOptimizer::Update(const UpdateArgs& args) {
  const int64_t begin = args.offset;
  const int64_t end = begin + args.x.count;
  CHECK_GT(step_, 0) << "Update before BeginStep";
  CHECK(begin >= 0 && end <= size_)
      << "[" << begin << ", " << end << ") in a layout of " << size_ << " elements";
  absl::InlinedVector<Buffer, 4> state;
  for (const Arena& arena : state_) state.push_back(arena.buffer().Slice(begin, args.x.count));
  ops::FusedPass pass{args.x, args.gradient, args.mix, args.copy_to, state, {}};

  const auto first = std::partition_point(
      segments_.begin(), segments_.end(),
      [begin](const Segment& s) { return s.range.offset + s.range.count <= begin; });
  for (auto s = first; s != segments_.end() && s->range.offset < end; ++s) {
    const int64_t from = std::max(begin, s->range.offset);
    const int64_t to = std::min(end, s->range.offset + s->range.count);
    pass.range = {from - begin, to - from};
    RunPass(pass, args.lr, s->weight_decay);
  }
  return absl::OkStatus();
}

absl::Status FusedOptimizer::VisitState(StateVisitor* visitor) {
  for (size_t k = 0; k < state_.size(); ++k) {
    RETURN_IF_ERROR(visitor->Visit(state_names_[k], state_[k].buffer()));
  }
  return visitor->Visit("step", AsBuffer(absl::MakeSpan(&step_, 1)));
}

}  // namespace starling
