// Quasi-global momentum: a momentum of what the parameters did, mixing included, instead of what
// the local gradients were. It follows the direction of all workers without sending it.
//
//   v <- beta m + g_i(x)                          m = 0 at the start
//   x' = W ( x - lr v )                           with nesterov: W ( x - lr (g + beta v) )
//   m <- mu m + (1 - mu) (x - x') / lr
//   x <- x'
//
// Lin, Karimireddy, Stich, Jaggi, "Quasi-global momentum: accelerating decentralized deep learning
// on heterogeneous data", ICML 2021, algorithm 1 (QG-DSGDm, QG-DSGDm-N). Where lr is 0 the quotient
// means nothing, and m stays.
//
// When workers leave or return, m begins anew with 0: what mixing with others has put into it sums
// to zero over all who took part, not over those who are there.
//
// Traffic: the mixer's, one vector per step that mixes. State: m.
#include <memory>

#include "core/device/arena.h"
#include "core/ops/ops.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/mixer.h"
#include "optim/qg_dsgdm/qg_dsgdm.pb.h"

namespace starling {
namespace {

class QgDsgdm final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const QgDsgdmConfig& config,
                                                           const Context&) {
    return std::make_unique<QgDsgdm>(config);
  }

  explicit QgDsgdm(const QgDsgdmConfig& config)
      : beta_(config.beta()), mu_(config.mu()), nesterov_(config.nesterov()) {}

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    facts.takes_membership = true;
    facts.own_local_rule = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(mixer_, Mixer::Create(worker, /*stream=*/1, x.type));
    ASSIGN_OR_RETURN(momentum_, MakeArena(x.count, x.type, x.place));
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    UpdateArgs update = UpdateOf(info, b);
    // Nesterov's step, g + beta (beta m + g), is (1 + beta) times this gradient. The optimizer adds
    // weight decay to the gradient, so that the factor has to be the learning rate's.
    const double factor = nesterov_ ? 1 + beta_ : 1;
    ops::Axpy(beta_ * (nesterov_ ? beta_ / factor : 1), m(b), update.gradient);
    update.lr *= factor;
    // m takes in x now, and gives back x' at the end of the step.
    if (info.lr != 0) ops::WeightedSum({{mu_, m(b)}, {Gain(info), x(b)}}, m(b));
    if (info.mixes) update.copy_to = mixer_->outgoing(b);
    RETURN_IF_ERROR(worker().optimizer->Update(update));
    return info.mixes ? mixer_->Begin(info.round, b, {update.copy_to}) : absl::OkStatus();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    for (int b = 0; b < buckets(); ++b) {
      if (info.mixes) RETURN_IF_ERROR(mixer_->Mix(b, x(b)));
      if (info.lr != 0) ops::Axpy(-Gain(info), x(b), m(b));
    }
    return absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    mixer_->SetTopology(membership.topology);
    ops::Zero(momentum_.buffer());
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor* visitor) override {
    return visitor->Visit("momentum", momentum_.buffer());
  }

 private:
  Buffer m(int bucket) const { return Part(momentum_.buffer(), bucket); }
  double Gain(const StepInfo& info) const { return (1 - mu_) / info.lr; }

  const double beta_, mu_;
  const bool nesterov_;
  std::unique_ptr<Mixer> mixer_;
  Arena momentum_;
};

STARLING_REGISTER_PLUGIN(
    Algorithm, QgDsgdm, QgDsgdmConfig,
    PluginFacts{"qg_dsgdm",
                "gossip with a momentum of what the parameters did (quasi-global); takes plain sgd",
                "Lin et al., ICML 2021",
                {"quasi_global_momentum"},
                ""});

}  // namespace
}  // namespace starling
