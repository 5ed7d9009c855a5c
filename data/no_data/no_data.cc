// For models that carry their objective with them and read nothing ("quadratic"). Its batches
// have a size and no fields.
#include <memory>

#include "core/registry.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/no_data/no_data.pb.h"

namespace starling {
namespace {

class NoData final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const NoDataConfig& config,
                                                         const Dataset::Context&) {
    return std::make_unique<NoData>(config.examples());
  }

  explicit NoData(int64_t examples) : examples_(examples) {}

  const DataSpec& spec() const override { return spec_; }

  // Evaluation needs one example to evaluate the objective once.
  int64_t size(Split split) const override { return split == Split::kTrain ? examples_ : 1; }

  uint64_t fingerprint() const override { return static_cast<uint64_t>(examples_); }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    out->size = static_cast<int64_t>(examples.size());
    out->fields.clear();
    return absl::OkStatus();
  }

  absl::Span<const int32_t> labels(Split) const override { return {}; }

 private:
  const int64_t examples_;
  const DataSpec spec_;
};

STARLING_REGISTER_PLUGIN(Dataset, NoData, NoDataConfig,
                         PluginFacts{"no_data",
                                     "no data, for models that carry their objective (quadratic)",
                                     /*source=*/"",
                                     /*aliases=*/{"none"},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
