// Local SGD: every worker trains alone for tau steps, then all take the exact average of their
// parameters.
//
//   x_i <- x_i - lr d_i(x_i)            in every step, with any optimizer
//   x_i <- 1/n sum_j x_j                after every tau-th
//
// Stich, "Local SGD converges fast and communicates little", ICLR 2019, algorithm 1.
//
// Traffic: one group sum of all workers in every tau-th step, nothing in the others. No state
// beside the parameters; an optimizer's state stays local. Takes no topology.
#include <memory>

#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/exact_average.h"
#include "optim/local_sgd/local_sgd.pb.h"

namespace starling {
namespace {

class LocalSgd final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const LocalSgdConfig& config,
                                                           const Context&) {
    return std::make_unique<LocalSgd>(config.local_steps());
  }

  explicit LocalSgd(int64_t local_steps) : local_steps_(local_steps) {}

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    facts.exchange_every = local_steps_;
    facts.needs_topology = false;
    facts.takes_membership = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(average_, ExactAverage::Create(worker, /*stream=*/1, x.type));
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    return Averages(info) ? average_->Begin(info.step, b, x(b)) : absl::OkStatus();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    if (!Averages(info)) return absl::OkStatus();
    for (int b = 0; b < buckets(); ++b) RETURN_IF_ERROR(average_->End(b));
    return absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    average_->SetMembers(membership);
    return absl::OkStatus();
  }

 private:
  bool Averages(const StepInfo& info) const { return (info.step + 1) % local_steps_ == 0; }

  const int64_t local_steps_;
  std::unique_ptr<ExactAverage> average_;
};

STARLING_REGISTER_PLUGIN(
    Algorithm, LocalSgd, LocalSgdConfig,
    PluginFacts{"local_sgd",
                "every worker alone for some steps, then the exact average; any optimizer",
                "Stich, ICLR 2019",
                {"periodic_averaging"},
                ""});

}  // namespace
}  // namespace starling
