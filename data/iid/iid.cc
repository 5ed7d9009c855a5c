// Every worker may read every example: each epoch's shuffle is dealt out to all (data/sampler.h),
// so that the global batches are those of one worker alone.
#include <memory>

#include "core/registry.h"
#include "data/iid/iid.pb.h"
#include "data/partition.h"

namespace starling {
namespace {

class Iid final : public Partition {
 public:
  static absl::StatusOr<std::unique_ptr<Partition>> Create(const IidConfig&,
                                                           const Partition::Context&) {
    return std::make_unique<Iid>();
  }

  absl::StatusOr<Assignment> Assign() const override { return Assignment{/*shared=*/true, {}}; }
};

STARLING_REGISTER_PLUGIN(Partition, Iid, IidConfig,
                         PluginFacts{"iid",
                                     "one global shuffle per epoch, dealt out to all workers",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
