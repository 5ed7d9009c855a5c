// Metrics as a table: metrics.csv holds one row per value. See README.md.
#include <charconv>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/metrics.h"
#include "core/run/sinks/csv/csv.pb.h"

namespace starling {
namespace {

constexpr char kHeader[] = "step,epoch,worker,wall_s,name,value\n";

// The shortest text that reads back as the same number, whatever the locale.
std::string Number(double value) {
  if (std::isnan(value)) return "nan";  // without a sign, which nobody means
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), value);
  CHECK(end.ec == std::errc());
  return std::string(text, end.ptr);
}

// As RFC 4180 quotes.
std::string Field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

class CsvSink final : public MetricSink {
 public:
  static absl::StatusOr<std::unique_ptr<MetricSink>> Create(const CsvSinkConfig&,
                                                            const Context& context) {
    ASSIGN_OR_RETURN(
        auto file, AppendFile::Open(context.directory + "/metrics.csv", SizeAt(context.position)));
    if (file->size() == 0) RETURN_IF_ERROR(file->Append(kHeader));
    return std::make_unique<CsvSink>(std::move(file));
  }

  explicit CsvSink(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  absl::Status Record(const MetricRecord& record) override {
    const std::string head = absl::StrCat(record.step, ",", Number(record.epoch), ",",
                                          record.worker, ",", Number(record.wall_seconds), ",");
    std::string rows;
    for (const auto& [name, value] : record.values) {
      absl::StrAppend(&rows, head, Field(name), ",", Number(value), "\n");
    }
    return file_->Append(rows);
  }

  std::string position() const override { return absl::StrCat(file_->size()); }

  absl::Status Flush() override { return file_->Sync(); }

 private:
  std::unique_ptr<AppendFile> file_;
};

STARLING_REGISTER_PLUGIN(MetricSink, CsvSink, CsvSinkConfig,
                         PluginFacts{"csv", "metrics.csv: one row per value",
                                     /*source=*/"RFC 4180", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
