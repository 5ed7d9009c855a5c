// SlowMo: local SGD whose averages are steps of a slow momentum.
//
//   tau times:  x_i <- x_i - lr g_i(x_i)                  from x_0, every worker alone
//   then:       x_tau = 1/n sum_j x_j
//               u   <- beta u + (x_0 - x_tau) / lr        u = 0 at the start
//               x_0 <- x_0 - alpha lr u                   all go on from there
//
// Wang, Tantia, Ballas, Rabbat, "SlowMo: improving communication-efficient distributed SGD with
// slow momentum", ICLR 2020, algorithm 1. lr is the scheduled one of the step that averages.
//
// With d = x_0 - x_tau the second half is, without dividing by lr and multiplying again,
//
//   x_0 <- x_tau + (1 - alpha) d - alpha beta lr u,       u <- beta u + d / lr
//
// so alpha = 1, beta = 0 is local SGD to the bit. Where lr is 0 the quotient means nothing, and u
// stays.
//
// Traffic: one group sum of all workers in every tau-th step. State: x_0 and u, equal on all
// workers. Takes no topology.
#include <memory>

#include "core/device/arena.h"
#include "core/ops/ops.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/exact_average.h"
#include "optim/slowmo/slowmo.pb.h"

namespace starling {
namespace {

class SlowMo final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const SlowMoConfig& config,
                                                           const Context&) {
    return std::make_unique<SlowMo>(config);
  }

  explicit SlowMo(const SlowMoConfig& config)
      : local_steps_(config.local_steps()), beta_(config.beta()), alpha_(config.alpha()) {}

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    facts.exchange_every = local_steps_;
    facts.needs_topology = false;
    facts.takes_membership = true;
    facts.state_is_shared = true;
    facts.own_local_rule = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(average_, ExactAverage::Create(worker, /*stream=*/1, x.type));
    ASSIGN_OR_RETURN(anchor_, MakeArena(x.count, x.type, x.place));
    ops::Copy(x, anchor_.buffer());
    ASSIGN_OR_RETURN(momentum_, MakeArena(x.count, x.type, x.place));
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    return Averages(info) ? average_->Begin(info.step, b, x(b)) : absl::OkStatus();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    if (!Averages(info)) return absl::OkStatus();
    for (int b = 0; b < buckets(); ++b) {
      RETURN_IF_ERROR(average_->End(b));
      const Buffer d = Part(anchor_.buffer(), b), u = Part(momentum_.buffer(), b);
      ops::Axpy(-1, x(b), d);
      ops::WeightedSum({{1, x(b)}, {1 - alpha_, d}, {-alpha_ * beta_ * info.lr, u}}, x(b));
      if (info.lr != 0) ops::WeightedSum({{beta_, u}, {1 / info.lr, d}}, u);
      ops::Copy(x(b), Part(anchor_.buffer(), b));
    }
    return absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    average_->SetMembers(membership);
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor* visitor) override {
    RETURN_IF_ERROR(visitor->Visit("anchor", anchor_.buffer()));
    return visitor->Visit("slow_momentum", momentum_.buffer());
  }

 private:
  bool Averages(const StepInfo& info) const { return (info.step + 1) % local_steps_ == 0; }

  const int64_t local_steps_;
  const double beta_, alpha_;
  std::unique_ptr<ExactAverage> average_;
  Arena anchor_, momentum_;  // x_0 and u
};

STARLING_REGISTER_PLUGIN(
    Algorithm, SlowMo, SlowMoConfig,
    PluginFacts{"slowmo",
                "local sgd whose averages are steps of a slow momentum; takes plain sgd",
                "Wang et al., ICLR 2020",
                {"slow_momentum"},
                ""});

}  // namespace
}  // namespace starling
