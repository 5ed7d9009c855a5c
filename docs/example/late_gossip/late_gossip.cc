// Gossip that begins late: local training first, x <- W (x - lr d(x)) from start_step on.
#include "core/registry.h"
#include "docs/example/late_gossip/late_gossip.pb.h"
#include "optim/algorithm_base.h"
#include "optim/mixer.h"

namespace starling {

class LateGossip final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const LateGossipConfig& config,
                                                           const Context&) {
    return std::make_unique<LateGossip>(config.start_step());
  }
  explicit LateGossip(int64_t start_step) : start_step_(start_step) {}
  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(mixer_, Mixer::Create(worker, /*stream=*/1, x.type));
    return AlgorithmBase::Start(worker, x, g);
  }
  absl::Status OnBucketReady(const StepInfo& info, int b) override {  // its gradient is complete
    RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    if (!Mixes(info)) return absl::OkStatus();
    return mixer_->Begin(info.round, b, {x(b)});  // sends, and goes on computing
  }
  absl::Status OnStepEnd(const StepInfo& info) override {
    if (!Mixes(info)) return absl::OkStatus();
    for (int b = 0; b < buckets(); ++b) RETURN_IF_ERROR(mixer_->Mix(b, x(b)));  // waits
    return absl::OkStatus();
  }

 private:
  bool Mixes(const StepInfo& info) const { return info.mixes && info.step >= start_step_; }

  int64_t start_step_;
  std::unique_ptr<Mixer> mixer_;
};

STARLING_REGISTER_PLUGIN(Algorithm, LateGossip, LateGossipConfig,
                         PluginFacts{"late_gossip", "local training first, gossip later"});

}  // namespace starling
