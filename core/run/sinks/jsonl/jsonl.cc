// Metrics as JSON lines: metrics.jsonl holds one object per record. See README.md.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/metrics.h"
#include "core/run/sinks/jsonl/jsonl.pb.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

class JsonlSink final : public MetricSink {
 public:
  static absl::StatusOr<std::unique_ptr<MetricSink>> Create(const JsonlSinkConfig&,
                                                            const Context& context) {
    ASSIGN_OR_RETURN(auto file, AppendFile::Open(context.directory + "/metrics.jsonl",
                                                 SizeAt(context.position)));
    return std::make_unique<JsonlSink>(std::move(file));
  }

  explicit JsonlSink(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  absl::Status Record(const MetricRecord& record) override {
    nlohmann::ordered_json line = {
        {"step", record.step},
        {"epoch", record.epoch},
        {"worker", record.worker},
        {"wall_s", record.wall_seconds},
    };
    for (const auto& [name, value] : record.values) line.emplace(name, value);
    // JSON has no NaN and no infinity; the library writes null for both.
    using ErrorHandler = nlohmann::ordered_json::error_handler_t;
    return file_->Append(line.dump(-1, ' ', false, ErrorHandler::replace) + "\n");
  }

  std::string position() const override { return absl::StrCat(file_->size()); }

  absl::Status Flush() override { return file_->Sync(); }

 private:
  std::unique_ptr<AppendFile> file_;
};

STARLING_REGISTER_PLUGIN(MetricSink, JsonlSink, JsonlSinkConfig,
                         PluginFacts{"jsonl", "metrics.jsonl: one JSON object per record",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
