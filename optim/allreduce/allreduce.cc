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
    sent_ = g;
    if (const auto& precision = worker.mixing.precision; precision && *precision != g.type) {
      ASSIGN_OR_RETURN(sent_, worker.comm->Allocate(worker.layout->size, *precision));
    }
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    if (worker().count == 1) return absl::OkStatus();
    ExchangeOptions options;
    options.deadline = worker().mixing.deadline;
    if (rounds()) ops::Convert(g(b), sent(b));
    ASSIGN_OR_RETURN(
        work_[b], worker().comm->AllReduceSum(everyone_, {1, info.step, b, 0}, sent(b), options));
    return worker().mixing.overlap ? absl::OkStatus() : work_[b]->Wait();
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    for (int b = 0; b < buckets(); ++b) {
      if (worker().count > 1) {
        RETURN_IF_ERROR(work_[b]->Wait());
        work_[b].reset();
        const Source mean{1.0 / worker().count, sent(b)};
        ops::WeightedSum({&mean, 1}, g(b));
      }
      RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    }
    return absl::OkStatus();
  }

 private:
  Buffer sent(int bucket) const {
    const Range& range = worker().layout->buckets[bucket];
    return sent_.Slice(range.offset, range.count);
  }
  bool rounds() const { return sent_.type != g(0).type; }

  std::vector<int> everyone_;
  std::vector<std::unique_ptr<Work>> work_;  // by bucket, in flight
  Buffer sent_;                              // g itself unless precision is narrower
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
