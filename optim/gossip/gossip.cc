// Gossip: decentralized training with any local rule d over any topology.
//
//   AWC:  x_i <- sum_j W_ij x_j - lr d_i(x_i)            (gradient at the un-mixed x_i)
//   ATC:  x_i <- sum_j W_ij (x_j - lr d_j(x_j))
//
// With sgd this is D-PSGD (Lian et al., "Can decentralized algorithms outperform centralized
// algorithms?", NeurIPS 2017); with adam in the order AWC it is the decentralized Adam of Wang et
// al., "From promise to practice", ICLR 2025, whose schedule of exchanges this is: the exchange of
// a bucket starts as soon as the bucket is updated and is needed one step later.
//
// When workers leave or return, stale mixings under way are dropped: their differences sum to zero.
//
// Traffic: the mixer's, one vector per step that mixes. No state beside the parameters.
#include <memory>
#include <optional>

#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/gossip/gossip.pb.h"
#include "optim/mixer.h"

namespace starling {
namespace {

class Gossip final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const GossipConfig& config,
                                                           const Context&) {
    return std::make_unique<Gossip>(config.order());
  }

  explicit Gossip(GossipConfig::Order order) : awc_(order == GossipConfig::AWC) {}

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = awc_ ? AlgorithmFacts::Needed::kBucketReady : AlgorithmFacts::Needed::kStepEnd;
    facts.needed_steps_later = awc_ ? 1 : 0;
    facts.takes_staleness = awc_;
    facts.takes_new_parameters = true;
    facts.takes_membership = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    staleness_ = worker.mixing.staleness;
    ASSIGN_OR_RETURN(mixer_,
                     Mixer::Create(worker, /*stream=*/1, x.type, /*vectors=*/1,
                                   /*depth=*/staleness_ + 1,
                                   staleness_ > 0 ? Mixer::Form::kDifference : Mixer::Form::kSum));
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnStepBegin(const StepInfo& info) override {
    RETURN_IF_ERROR(AlgorithmBase::OnStepBegin(info));
    if (!awc_ || !info.mixes) return absl::OkStatus();
    for (int b = 0; b < buckets(); ++b) {
      if (mixer_->last_round(b) == info.round) continue;
      RETURN_IF_ERROR(mixer_->Begin(info.round, b, {x(b)}));
    }
    return absl::OkStatus();
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    UpdateArgs update = UpdateOf(info, b);
    if (awc_ && info.mixes && mixer_->in_flight(b) > staleness_) {
      RETURN_IF_ERROR(mixer_->End(b));
      update.mix = mixer_->sources(b, 0, x(b));
    }
    // AWC sends what the next step mixes, or later ones; ATC sends what this step mixes. Without
    // overlap AWC leaves that to the next OnStepBegin, unless it is state.
    std::optional<int64_t> round;
    if (awc_ && (worker().mixing.overlap || staleness_ > 0)) round = info.next_round;
    if (!awc_ && info.mixes) round = info.round;
    if (round) update.copy_to = mixer_->outgoing(b);
    RETURN_IF_ERROR(worker().optimizer->Update(update));
    return round ? mixer_->Begin(*round, b, {update.copy_to}) : absl::OkStatus();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    if (awc_ || !info.mixes) return absl::OkStatus();
    for (int b = 0; b < buckets(); ++b) RETURN_IF_ERROR(mixer_->Mix(b, x(b)));
    return absl::OkStatus();
  }

  absl::Status Quiesce() override { return mixer_->Quiesce(); }

  absl::Status OnNewParameters() override {
    mixer_->Forget();
    return absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    mixer_->SetTopology(membership.topology);
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor* visitor) override {
    return staleness_ > 0 ? mixer_->VisitState(visitor, "mixer") : absl::OkStatus();
  }

 private:
  bool awc_;
  int staleness_ = 0;
  std::unique_ptr<Mixer> mixer_;
};

STARLING_REGISTER_PLUGIN(
    Algorithm, Gossip, GossipConfig,
    PluginFacts{"gossip",
                "workers average parameters with their neighbours; any optimizer, AWC or ATC",
                "Lian et al., NeurIPS 2017; Wang et al., ICLR 2025",
                {"dpsgd", "d_psgd", "dsgd", "dadam"},
                ""});

}  // namespace
}  // namespace starling
