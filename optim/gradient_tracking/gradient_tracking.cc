// Gradient tracking: every worker follows y, its estimate of the mean gradient of all workers, in
// place of its own gradient. With a constant learning rate it reaches the common optimum, over
// weights that may change from round to round.
//
//   y_i^0     = g_i^0
//   AWC:  x^{t+1} = W^t x^t - lr d(y^t)
//   ATC:  x^{t+1} = W^t ( x^t - lr d(y^t) )
//   y^{t+1} = W^t y^t + g^{t+1} - g^t                     so that mean(y^t) = mean(g^t)
//
// With sgd, d(y) = y, AWC is DIGing (Nedic, Olshevsky, Shi, "Achieving geometric convergence for
// distributed optimization over time-varying graphs", SIAM Journal on Optimization, 2017, equation
// 2.1), and ATC is DSGT (Pu, Nedic, "Distributed stochastic gradient tracking methods",
// Mathematical Programming, 2021). Other optimizers take y as their gradient.
//
// y^t exists when the bucket's gradient does, and W^t y^t is needed one step later, when the next
// one does. So y's exchange always overlaps a whole step; that of x is the one of gossip. (With y
// inside the combination, W (y + g' - g), as ATC is also written, a step would have two exchanges
// one behind the other.)
//
// When workers leave or return, trackers begin anew: y = g, so that mean(y) = mean(g) of those who
// are there.
//
// Traffic: the mixer's, two vectors per step that mixes. State: y, the last gradient, and the round
// that y is mixed with next.
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "core/device/arena.h"
#include "core/ops/ops.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/gradient_tracking/gradient_tracking.pb.h"
#include "optim/mixer.h"

namespace starling {
namespace {

class GradientTracking final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const GradientTrackingConfig& config,
                                                           const Context&) {
    return std::make_unique<GradientTracking>(config.order());
  }

  explicit GradientTracking(GradientTrackingConfig::Order order)
      : awc_(order == GradientTrackingConfig::AWC) {}

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = awc_ ? AlgorithmFacts::Needed::kBucketReady : AlgorithmFacts::Needed::kStepEnd;
    facts.needed_steps_later = awc_ ? 1 : 0;
    facts.vectors_per_message = 2;
    facts.takes_membership = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(x_mixer_, Mixer::Create(worker, /*stream=*/1, x.type));
    ASSIGN_OR_RETURN(y_mixer_, Mixer::Create(worker, /*stream=*/2, x.type));
    // Zeroes: the first step makes y = g of them.
    ASSIGN_OR_RETURN(tracker_, MakeArena(x.count, x.type, x.place));
    ASSIGN_OR_RETURN(last_gradient_, MakeArena(x.count, x.type, x.place));
    tracker_round_ = kNone;
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnStepBegin(const StepInfo& info) override {
    RETURN_IF_ERROR(AlgorithmBase::OnStepBegin(info));
    for (int b = 0; b < buckets(); ++b) {
      if (tracker_round_ != kNone && !y_mixer_->in_flight(b)) {
        RETURN_IF_ERROR(y_mixer_->Begin(tracker_round_, b, {y(b)}));
      }
      if (awc_ && info.mixes && !x_mixer_->in_flight(b)) {
        RETURN_IF_ERROR(x_mixer_->Begin(info.round, b, {x(b)}));
      }
    }
    return absl::OkStatus();
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    RETURN_IF_ERROR(Track(b));
    // Without overlap the next OnStepBegin starts what the next step needs.
    const bool overlap = worker().mixing.overlap;
    if (overlap && info.mixes) RETURN_IF_ERROR(y_mixer_->Begin(info.round, b, {y(b)}));

    UpdateArgs update = UpdateOf(info, b);
    update.gradient = y(b);
    if (awc_ && info.mixes) {
      RETURN_IF_ERROR(x_mixer_->End(b));
      update.mix = x_mixer_->sources(b, 0, x(b));
    }
    std::optional<int64_t> round;
    if (awc_ && overlap) round = info.next_round;
    if (!awc_ && info.mixes) round = info.round;
    if (round) update.copy_to = x_mixer_->outgoing(b);
    RETURN_IF_ERROR(worker().optimizer->Update(update));
    return round ? x_mixer_->Begin(*round, b, {update.copy_to}) : absl::OkStatus();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    tracker_round_ = info.mixes ? info.round : kNone;
    if (awc_ || !info.mixes) return absl::OkStatus();
    for (int b = 0; b < buckets(); ++b) RETURN_IF_ERROR(x_mixer_->Mix(b, x(b)));
    return absl::OkStatus();
  }

  absl::Status Quiesce() override {
    RETURN_IF_ERROR(x_mixer_->Quiesce());
    return y_mixer_->Quiesce();
  }

  absl::Status OnMembership(const Membership& membership) override {
    x_mixer_->SetTopology(membership.topology);
    y_mixer_->SetTopology(membership.topology);
    ops::Zero(tracker_.buffer());
    ops::Zero(last_gradient_.buffer());
    tracker_round_ = kNone;
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor* visitor) override {
    RETURN_IF_ERROR(visitor->Visit("tracker", tracker_.buffer()));
    RETURN_IF_ERROR(visitor->Visit("last_gradient", last_gradient_.buffer()));
    return visitor->Visit("tracker_round", AsBuffer(absl::MakeSpan(&tracker_round_, 1)));
  }

 private:
  static constexpr int64_t kNone = -1;

  Buffer y(int bucket) const { return Part(tracker_.buffer(), bucket); }

  // y <- W y + g - last g, W of the round in which y was sent.
  absl::Status Track(int b) {
    const Buffer last = Part(last_gradient_.buffer(), b);
    terms_.clear();
    if (tracker_round_ != kNone) {
      RETURN_IF_ERROR(y_mixer_->End(b));
      const auto mixed = y_mixer_->sources(b, 0, y(b));
      terms_.assign(mixed.begin(), mixed.end());
    }
    if (terms_.empty()) terms_.push_back({1, y(b)});
    terms_.push_back({1, g(b)});
    terms_.push_back({-1, last});
    ops::WeightedSum(terms_, y(b));
    ops::Copy(g(b), last);
    return absl::OkStatus();
  }

  const bool awc_;
  std::unique_ptr<Mixer> x_mixer_, y_mixer_;
  Arena tracker_, last_gradient_;
  int64_t tracker_round_ = kNone;  // of the step before: what y is still to be mixed with
  std::vector<Source> terms_;
};

STARLING_REGISTER_PLUGIN(
    Algorithm, GradientTracking, GradientTrackingConfig,
    PluginFacts{"gradient_tracking",
                "every worker follows an estimate of the mean gradient; any optimizer, AWC or ATC",
                "Nedic, Olshevsky, Shi, SIAM J. Optim. 2017; Pu, Nedic, Math. Program. 2021",
                {"gt", "dsgt", "diging"},
                ""});

}  // namespace
}  // namespace starling
