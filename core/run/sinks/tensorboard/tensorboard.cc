// Metrics as TensorBoard's event files: one Event (event.proto) per TFRecord (tfrecord.h), of which
// the first names the version. See README.md.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/host.h"
#include "core/run/metrics.h"
#include "core/run/sinks/tensorboard/event.pb.h"
#include "core/run/sinks/tensorboard/tensorboard.pb.h"
#include "core/run/sinks/tensorboard/tfrecord.h"

namespace starling {
namespace {

tfevents::Event EventOfNow() {
  tfevents::Event event;
  event.set_wall_time(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
  return event;
}

class TensorboardSink final : public MetricSink {
 public:
  static absl::StatusOr<std::unique_ptr<MetricSink>> Create(const TensorboardSinkConfig& config,
                                                            const Context& context) {
    ASSIGN_OR_RETURN(
        auto file, AppendFile::Open(absl::StrCat(context.directory, "/events.out.tfevents.",
                                                 absl::ToUnixSeconds(absl::Now()), ".", HostName(),
                                                 ".starling")));
    // A part of the run that began within the same second has left one.
    if (file->size() == 0) {
      tfevents::Event version = EventOfNow();
      version.set_file_version("brain.Event:2");
      RETURN_IF_ERROR(file->Append(TfRecord(version.SerializeAsString())));
    }
    return std::make_unique<TensorboardSink>(config, std::move(file));
  }

  TensorboardSink(const TensorboardSinkConfig& config, std::unique_ptr<AppendFile> file)
      : config_(config), file_(std::move(file)) {}

  absl::Status Record(const MetricRecord& record) override {
    if (record.worker >= 0 && !config_.per_worker()) return absl::OkStatus();
    const std::string prefix =
        record.worker >= 0 ? absl::StrCat("worker_", record.worker, "/") : "";
    tfevents::Event event = EventOfNow();
    event.set_step(record.step);
    for (const auto& [name, number] : record.values) {
      tfevents::Summary::Value* value = event.mutable_summary()->add_value();
      value->set_tag(prefix + name);
      value->set_simple_value(static_cast<float>(number));
    }
    return file_->Append(TfRecord(event.SerializeAsString()));
  }

  absl::Status Flush() override { return file_->Sync(); }

 private:
  const TensorboardSinkConfig config_;
  std::unique_ptr<AppendFile> file_;
};

STARLING_REGISTER_PLUGIN(MetricSink, TensorboardSink, TensorboardSinkConfig,
                         PluginFacts{"tensorboard", "event files that TensorBoard shows",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
