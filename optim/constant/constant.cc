// The full learning rate at every step, after a linear warm-up (optim/warmup.h).
#include <memory>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/constant/constant.pb.h"
#include "optim/schedule.h"
#include "optim/warmup.h"

namespace starling {
namespace {

class Constant final : public Schedule {
 public:
  static absl::StatusOr<std::unique_ptr<Schedule>> Create(const ConstantConfig& config,
                                                          const Context& context) {
    ASSIGN_OR_RETURN(const LinearWarmup warmup, LinearWarmup::Create(config.warmup(), context));
    return std::make_unique<Constant>(warmup);
  }

  explicit Constant(const LinearWarmup& warmup) : warmup_(warmup) {}

  double Factor(int64_t step) const override {
    return warmup_.Covers(step) ? warmup_.Factor(step) : 1;
  }

 private:
  const LinearWarmup warmup_;
};

STARLING_REGISTER_PLUGIN(Schedule, Constant, ConstantConfig,
                         PluginFacts{"constant", "the full learning rate at every step",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
