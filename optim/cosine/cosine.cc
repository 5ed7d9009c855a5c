// Cosine annealing without restarts (Loshchilov and Hutter, "SGDR: stochastic gradient descent with
// warm restarts", ICLR 2017, equation 5), after a linear warm-up of w steps (optim/warmup.h):
//
//   factor(t) = f + (1 - f) (1 + cos(pi (t - w) / (T - w))) / 2       w <= t <= T
//
// with T the planned steps of the run and f the final factor, which also holds beyond T.
#include <cmath>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/cosine/cosine.pb.h"
#include "optim/schedule.h"
#include "optim/warmup.h"

namespace starling {
namespace {

constexpr double kPi = 3.14159265358979323846;

class Cosine final : public Schedule {
 public:
  static absl::StatusOr<std::unique_ptr<Schedule>> Create(const CosineConfig& config,
                                                          const Context& context) {
    if (context.steps <= 0) {
      return absl::InvalidArgumentError(
          "schedule \"cosine\" must know the length of the run; set train.epochs or "
          "train.max_steps");
    }
    ASSIGN_OR_RETURN(const LinearWarmup warmup, LinearWarmup::Create(config.warmup(), context));
    return std::make_unique<Cosine>(warmup, context.steps, config.final_factor());
  }

  Cosine(const LinearWarmup& warmup, int64_t steps, double final_factor)
      : warmup_(warmup), steps_(steps), final_factor_(final_factor) {}

  double Factor(int64_t step) const override {
    if (warmup_.Covers(step)) return warmup_.Factor(step);
    if (step >= steps_) return final_factor_;
    const double progress =
        static_cast<double>(step - warmup_.steps()) / static_cast<double>(steps_ - warmup_.steps());
    return final_factor_ + (1 - final_factor_) * (1 + std::cos(kPi * progress)) / 2;
  }

 private:
  const LinearWarmup warmup_;
  const int64_t steps_;
  const double final_factor_;
};

STARLING_REGISTER_PLUGIN(Schedule, Cosine, CosineConfig,
                         PluginFacts{"cosine", "half a cosine wave down to final_factor",
                                     "Loshchilov and Hutter, ICLR 2017", /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
