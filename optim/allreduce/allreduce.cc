// All-Reduce: the centralized baseline. Gradients are averaged over all workers, bucket by bucket
// while the backward pass goes on, and every worker makes the same update.
//
//   x <- x - lr d( 1/n sum_j g_j )
//
// Traffic per step: one group sum of all workers. No state beside the parameters. Takes no
// topology.
#include <memory>
#include <numeric>
#include <vector>

#include "core/ops/ops.h"
#include "core/registry.h"
#include "optim/algorithm_base.h"
#include "optim/allreduce/allreduce.pb.h"

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
    facts.equals_mean_gradient = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    everyone_.resize(worker.count);
    std::iota(everyone_.begin(), everyone_.end(), 0);
    work_.resize(worker.layout->buckets.size());
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    if (worker().count == 1) return absl::OkStatus();
    ExchangeOptions options;
    options.deadline = worker().mixing.deadline;
    ASSIGN_OR_RETURN(work_[b],
                     worker().comm->AllReduceSum(everyone_, {1, info.step, b, 0}, g(b), options));
    return worker().mixing.overlap ? absl::OkStatus() : work_[b]->Wait();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    for (int b = 0; b < buckets(); ++b) {
      if (worker().count > 1) {
        RETURN_IF_ERROR(work_[b]->Wait());
        work_[b].reset();
        ops::Scale(1.0 / worker().count, g(b));
      }
      RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<int> everyone_;
  std::vector<std::unique_ptr<Work>> work_;  // by bucket, in flight
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
