// D2: gossip that cancels what the workers' data differ in, so that it reaches the common optimum
// with a constant learning rate.
//
//   x^1     = W ( x^0 - lr_0 g^0 )
//   x^{t+1} = W ( 2 x^t - x^{t-1} - lr_t g^t + lr_{t-1} g^{t-1} )
//
// Tang, Lian, Yan, Zhang, Liu, "D2: decentralized training over decentralized data", ICML 2018,
// algorithm 1. Needs the same symmetric W in every step, all of whose eigenvalues are above -1/3;
// gamma = 1/2, W' = (I + W) / 2, gives that to any symmetric W, and then this
// is Exact Diffusion (Yuan, Ying, Zhao, Sayed, IEEE Transactions on Signal Processing, 2019).
//
// Kept as psi^t = x^t - lr_t g^t, what the optimizer makes of x^t:
//
//   x^{t+1} = W ( psi^t + x^t - psi^{t-1} ),    psi^{-1} = x^0
//
// When workers leave or return, W is another one and the recursion begins anew, psi = x.
//
// Traffic: the mixer's, one vector per step. State: psi.
#include <memory>

#include "core/device/arena.h"
#include "core/ops/ops.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/d2/d2.pb.h"
#include "optim/mixer.h"

namespace starling {
namespace {

class D2 final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const D2Config&, const Context&) {
    return std::make_unique<D2>();
  }

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    facts.needs_symmetric = true;
    facts.needs_static = true;
    facts.eigenvalues_above = -1.0 / 3;
    facts.takes_membership = true;
    facts.own_local_rule = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(mixer_, Mixer::Create(worker, /*stream=*/1, x.type));
    ASSIGN_OR_RETURN(psi_, MakeArena(x.count, x.type, x.place));
    ops::Copy(x, psi_.buffer());
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    const Buffer psi = Part(psi_.buffer(), b);
    ops::WeightedSum({{1, x(b)}, {-1, psi}}, psi);  // x^t - psi^{t-1}
    RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    ops::Copy(x(b), g(b));  // psi^t; the gradient has done its work
    ops::Add(psi, x(b));
    ops::Copy(g(b), psi);
    return mixer_->Begin(info.round, b, {x(b)});
  }

  absl::Status OnStepEnd(const StepInfo&) override {
    for (int b = 0; b < buckets(); ++b) RETURN_IF_ERROR(mixer_->Mix(b, x(b)));
    return absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    mixer_->SetTopology(membership.topology);
    for (int b = 0; b < buckets(); ++b) ops::Copy(x(b), Part(psi_.buffer(), b));
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor* visitor) override {
    return visitor->Visit("psi", psi_.buffer());
  }

 private:
  std::unique_ptr<Mixer> mixer_;
  Arena psi_;
};

STARLING_REGISTER_PLUGIN(
    Algorithm, D2, D2Config,
    PluginFacts{"d2",
                "gossip without the bias of heterogeneous data; static symmetric W, plain sgd",
                "Tang et al., ICML 2018",
                {"d_squared"},
                ""});

}  // namespace
}  // namespace starling
