#include "comm/sim/computing.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/cluster.h"
#include "core/status.h"

namespace starling {
namespace {

// What the config says: a profile by name or file, or times alone.
absl::StatusOr<ModelProfile> ProfileOf(const SimConfig& config, const ClusterSpec& cluster) {
  ModelProfile profile;
  if (!config.has_model_profile()) {
    profile.set_fixed_ms(config.compute_ms());
    profile.set_forward_share(config.forward_share());
    profile.set_update_ms(config.update_ms());
    return profile;
  }
  auto named = ModelOf(cluster, config.model_profile());
  if (named.ok()) return named;
  auto loaded = LoadModelProfile(config.model_profile());
  if (loaded.ok() || !absl::IsNotFound(loaded.status())) return loaded;
  return named;
}

// A layout whose buckets have the profile's sizes, one tensor each.
Layout LayoutOf(const ModelProfile& profile) {
  Layout layout;
  for (const BucketProfile& bucket : profile.bucket()) {
    TensorInfo tensor;
    tensor.name = absl::StrCat("bucket", layout.tensors.size());
    tensor.offset = layout.size;
    tensor.count = std::max<int64_t>(
                       1, std::llround(bucket.mb() * 1e6 / SizeOf(DType::kF32) / kTensorPadding)) *
                   kTensorPadding;
    tensor.shape = {tensor.count};
    layout.buckets.push_back({layout.size, tensor.count});
    layout.size += tensor.count;
    layout.tensors.push_back(std::move(tensor));
  }
  return layout;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Computing>> Computing::Create(const SimConfig& config,
                                                             const ClusterSpec& cluster,
                                                             const Backend::Context& world) {
  ASSIGN_OR_RETURN(ModelProfile profile, ProfileOf(config, cluster));
  return std::unique_ptr<Computing>(new Computing(config, std::move(profile), cluster, world));
}

Computing::Computing(const SimConfig& config, ModelProfile profile, const ClusterSpec& cluster,
                     const Backend::Context& world)
    : time_only_(config.mode() == SimConfig::TIME_ONLY),
      profile_(std::move(profile)),
      workers_(world.workers),
      times_(cluster, world.workers, world.seed),
      model_bytes_(config.has_model_bytes() ? static_cast<double>(config.model_bytes())
                                            : ModelMb(profile_) * 1e6) {
  if (time_only_ && profile_.bucket_size() > 0) layout_ = LayoutOf(profile_);
}

void Computing::SetModel(const Layout& layout, DType type) {
  elements_ = layout.size;
  if (model_bytes_ > 0) {
    bytes_per_byte_ = model_bytes_ / static_cast<double>(layout.size * SizeOf(type));
  }
  shares_.clear();
  const int buckets = static_cast<int>(layout.buckets.size());
  for (int b = 0; b < buckets; ++b) {
    shares_.push_back(buckets == profile_.bucket_size()
                          ? profile_.bucket(b).backward_share()
                          : static_cast<double>(layout.buckets[b].count) /
                                static_cast<double>(layout.size));
  }
}

Simulation::Pass Computing::PassOf(int worker, int64_t step) const {
  const ComputeTimes::Pass drawn = times_.At(worker, step);
  const double seconds = 1e-3 * drawn.factor * ComputeMs(profile_, workers_);
  Pass pass;
  pass.stall = 1e-3 * drawn.stall_ms;
  pass.forward = seconds * profile_.forward_share();
  for (const double share : shares_) pass.backward.push_back((seconds - pass.forward) * share);
  return pass;
}

double Computing::UpdateSeconds(int64_t elements) const {
  return 1e-3 * profile_.update_ms() * static_cast<double>(elements) /
         static_cast<double>(std::max<int64_t>(elements_, 1));
}

}  // namespace starling
