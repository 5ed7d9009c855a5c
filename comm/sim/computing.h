// How long simulated workers compute.
#ifndef COMM_SIM_COMPUTING_H_
#define COMM_SIM_COMPUTING_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "cluster/cluster.pb.h"
#include "cluster/compute_times.h"
#include "comm/backend.h"
#include "comm/sim/sim.pb.h"
#include "comm/simulation.h"
#include "core/layout.h"

namespace starling {

class Computing final : public Simulation {
 public:
  // `config` is resolved, `cluster` complete.
  static absl::StatusOr<std::unique_ptr<Computing>> Create(const SimConfig& config,
                                                           const ClusterSpec& cluster,
                                                           const Backend::Context& world);

  bool time_only() const override { return time_only_; }
  const Layout* layout() const override { return layout_ ? &*layout_ : nullptr; }
  void SetModel(const Layout& layout, DType type) override;
  Pass PassOf(int worker, int64_t step) const override;
  double UpdateSeconds(int64_t elements) const override;

  // What a byte of training counts as when it is sent; 1 before SetModel.
  const double* bytes_per_byte() const { return &bytes_per_byte_; }

 private:
  Computing(const SimConfig& config, ModelProfile profile, const ClusterSpec& cluster,
            const Backend::Context& world);

  const bool time_only_;
  const ModelProfile profile_;  // complete; without buckets where only times are known
  const int workers_;
  const ComputeTimes times_;
  double model_bytes_ = 0;  // 0: its own
  std::optional<Layout> layout_;
  double bytes_per_byte_ = 1;
  int64_t elements_ = 0;        // of the model
  std::vector<double> shares_;  // of the backward pass, by bucket
};

}  // namespace starling

#endif  // COMM_SIM_COMPUTING_H_
