// Metrics as TensorBoard's event files: one Event (event.proto) per TFRecord (tfrecord.h), of which
// the first names the version. See README.md.
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

namespace fs = std::filesystem;

tfevents::Event EventOfNow() {
  tfevents::Event event;
  event.set_wall_time(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
  return event;
}

constexpr char kPrefix[] = "events.out.tfevents.", kSuffix[] = ".starling";

// Event files that other parts of the run have left. One that cannot be removed is only shown.
void RemoveOthers(const std::string& directory, const std::string& name) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string other = entry.path().filename().string();
    if (other == name || !absl::StartsWith(other, kPrefix) || !absl::EndsWith(other, kSuffix)) {
      continue;
    }
    fs::remove(entry.path(), error);
  }
}

class TensorboardSink final : public MetricSink {
 public:
  static absl::StatusOr<std::unique_ptr<MetricSink>> Create(const TensorboardSinkConfig& config,
                                                            const Context& context) {
    // A run has one file, named after its beginning: an earlier part's goes on.
    std::string name, size;
    if (context.position.empty()) {
      name = absl::StrCat(kPrefix, absl::ToUnixSeconds(absl::Now()), ".", HostName(), kSuffix);
    } else {
      std::tie(size, name) = std::pair<std::string, std::string>(
          absl::StrSplit(context.position, absl::MaxSplits(' ', 1)));
    }
    RemoveOthers(context.directory, name);
    ASSIGN_OR_RETURN(auto file,
                     AppendFile::Open(absl::StrCat(context.directory, "/", name), SizeAt(size)));
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

  std::string position() const override {
    return absl::StrCat(file_->size(), " ", fs::path(file_->path()).filename().string());
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
