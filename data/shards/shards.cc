// Few classes per worker: the examples, sorted by label, are cut into equal shards, and every
// worker is dealt the same number of them.
//
//   1. sort by label; examples of one label stand in random order
//   2. cut into S = workers * shards_per_worker shards; shard k is [k E / S, (k + 1) E / S)
//   3. shuffle the shards; worker r gets number r * shards_per_worker and the following
//
// All draws from the stream (seed, kPartition, 0, 0), in this order.
//
// Source: McMahan, Moore, Ramage, Hampson, Aguera y Arcas, "Communication-Efficient Learning of
// Deep Networks from Decentralized Data", AISTATS 2017, section 3 (there 200 shards of 300 MNIST
// digits, two for each of 100 clients).
#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "data/partition.h"
#include "data/shards/shards.pb.h"

namespace starling {
namespace {

class Shards final : public Partition {
 public:
  static absl::StatusOr<std::unique_ptr<Partition>> Create(const ShardsConfig& config,
                                                           const Partition::Context& context) {
    return std::make_unique<Shards>(config, context);
  }

  Shards(const ShardsConfig& config, const Partition::Context& context)
      : per_worker_(config.shards_per_worker()), context_(context) {}

  absl::StatusOr<Assignment> Assign() const override {
    RETURN_IF_ERROR(CheckHasLabels(context_, "shards"));
    const int64_t examples = context_.examples, workers = context_.workers;
    if (per_worker_ > examples / workers) {
      return absl::InvalidArgumentError(
          absl::StrCat("partition \"shards\": ", workers, " workers with ", per_worker_,
                       " shards each are more shards than the ", examples,
                       " examples; shards_per_worker can be ", examples / workers, " at most"));
    }

    Random random(StreamKey(context_.seed, Purpose::kPartition, 0, 0));
    std::vector<int64_t> sorted;
    sorted.reserve(examples);
    for (std::vector<int64_t>& of_class : ExamplesByClass(context_.labels, context_.classes)) {
      random.Shuffle(absl::MakeSpan(of_class));
      sorted.insert(sorted.end(), of_class.begin(), of_class.end());
    }

    const int64_t shards = workers * per_worker_;
    std::vector<int64_t> order(shards);
    std::iota(order.begin(), order.end(), 0);
    random.Shuffle(absl::MakeSpan(order));

    Assignment assignment;
    assignment.owned.resize(workers);
    for (int64_t i = 0; i < shards; ++i) {
      auto& owned = assignment.owned[i / per_worker_];
      const int64_t begin = order[i] * examples / shards, end = (order[i] + 1) * examples / shards;
      owned.insert(owned.end(), sorted.begin() + begin, sorted.begin() + end);
    }
    for (auto& owned : assignment.owned) std::sort(owned.begin(), owned.end());
    return assignment;
  }

 private:
  const int64_t per_worker_;
  const Partition::Context context_;
};

STARLING_REGISTER_PLUGIN(Partition, Shards, ShardsConfig,
                         PluginFacts{
                             "shards",
                             "sorted by label, cut into shards, dealt out: few classes each",
                             "McMahan et al., AISTATS 2017",
                             /*aliases=*/{}, "data sets with labels"});

}  // namespace
}  // namespace starling
