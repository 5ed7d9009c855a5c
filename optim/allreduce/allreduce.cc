// All-Reduce: the centralized baseline. Gradients are averaged over all workers, bucket by bucket
// while the backward pass goes on, and every worker makes the same update.
//
//   x <- x - lr d( 1/n sum_j g_j )
//
// With a narrower mixing.precision gradients are rounded to it, summed in it, and widened.
//
// Traffic per step: one group sum of all workers. No state beside the parameters. Takes no
// topology.
#include <memory>

#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/allreduce/allreduce.pb.h"
#include "optim/exact_average.h"

namespace starling {
namespace {

class Allreduce final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const AllreduceConfig&, const Context&) {
    return std::make_unique<Allreduce>();
  }

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    facts.needs_topology = false;
    facts.takes_membership = true;
    facts.state_is_shared = true;
    facts.equals_mean_gradient = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    ASSIGN_OR_RETURN(average_, ExactAverage::Create(worker, /*stream=*/1, g.type));
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    return average_->Begin(info.step, b, g(b));
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    for (int b = 0; b < buckets(); ++b) {
      RETURN_IF_ERROR(average_->End(b));
      RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    }
    return absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    average_->SetMembers(membership);
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<ExactAverage> average_;
};

STARLING_REGISTER_PLUGIN(
    Algorithm, Allreduce, AllreduceConfig,
    PluginFacts{"allreduce",
                "the centralized baseline: gradients averaged over all workers in every step",
                "",
                {"ddp", "all_reduce"},
                ""});

}  // namespace
}  // namespace starling
