// Inverse square root (Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 3,
// scaled to 1 at its peak), after a linear warm-up of w steps (optim/warmup.h):
//
//   factor(t) = sqrt(w / (t + 1))       t >= w
#include <cmath>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/inverse_sqrt/inverse_sqrt.pb.h"
#include "optim/schedule.h"
#include "optim/warmup.h"

namespace starling {
namespace {

constexpr int64_t kDefaultWarmupSteps = 4000;  // of the paper

class InverseSqrt final : public Schedule {
 public:
  static absl::StatusOr<std::unique_ptr<Schedule>> Create(const InverseSqrtConfig& config,
                                                          const Context& context) {
    ASSIGN_OR_RETURN(const LinearWarmup warmup,
                     LinearWarmup::Create(config.warmup(), context, kDefaultWarmupSteps));
    if (warmup.steps() == 0) {
      return absl::InvalidArgumentError(
          "schedule \"inverse_sqrt\" has a warm-up of 0 steps, which leaves no learning rate; give "
          "it at least 1");
    }
    return std::make_unique<InverseSqrt>(warmup);
  }

  explicit InverseSqrt(const LinearWarmup& warmup) : warmup_(warmup) {}

  double Factor(int64_t step) const override {
    if (warmup_.Covers(step)) return warmup_.Factor(step);
    return std::sqrt(static_cast<double>(warmup_.steps()) / static_cast<double>(step + 1));
  }

 private:
  const LinearWarmup warmup_;
};

STARLING_REGISTER_PLUGIN(Schedule, InverseSqrt, InverseSqrtConfig,
                         PluginFacts{"inverse_sqrt", "falls with the square root of the step",
                                     "Vaswani et al., NeurIPS 2017", /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
