#include "experiments/identity.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"

namespace starling {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::util::MessageDifferencer;

constexpr absl::string_view kBucketPath = "train.bucket_mb";
constexpr absl::string_view kHowPaths[] = {"name",
                                           "backend",
                                           "metric_sink",
                                           "checkpoint",
                                           "mixing.overlap",
                                           "mixing.timeout_seconds",
                                           "train.log_every_steps",
                                           "train.consensus_every_steps",
                                           "train.digest_every_steps",
                                           kBucketPath};

void Clear(absl::string_view path, Message* message) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    CHECK(field != nullptr) << "no field " << path;
    if (i + 1 == names.size()) {
      message->GetReflection()->ClearField(message, field);
    } else {
      message = message->GetReflection()->MutableMessage(message, field);
    }
  }
}

class Collector final : public MessageDifferencer::Reporter {
 public:
  using Path = std::vector<MessageDifferencer::SpecificField>;

  void ReportAdded(const Message&, const Message& now, const Path& path) override {
    Add(path, "absent", Value(now, path.back(), path.back().new_index));
  }
  void ReportDeleted(const Message& before, const Message&, const Path& path) override {
    Add(path, Value(before, path.back(), path.back().index), "absent");
  }
  void ReportModified(const Message& before, const Message& now, const Path& path) override {
    // Of a message that differs, its fields have been told.
    const FieldDescriptor* field = path.back().field;
    if (field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return;
    Add(path, Value(before, path.back(), path.back().index),
        Value(now, path.back(), path.back().new_index));
  }

  std::vector<ConfigDifference> found;

 private:
  static std::string Value(const Message& message, const MessageDifferencer::SpecificField& field,
                           int index) {
    if (field.field == nullptr) return "?";
    std::string text;
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    printer.PrintFieldValueToString(message, field.field, field.field->is_repeated() ? index : -1,
                                    &text);
    const bool is_message = field.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    return is_message ? absl::StrCat("{ ", text, "}") : text;
  }

  void Add(const Path& path, const std::string& before, const std::string& now) {
    std::string at;
    for (const auto& step : path) {
      if (step.field == nullptr) continue;
      absl::StrAppend(&at, at.empty() ? "" : ".", step.field->name());
      if (!step.field->is_repeated()) continue;
      absl::StrAppend(&at, "[", step.index < 0 ? step.new_index : step.index, "]");
    }
    found.push_back({at, before, now});
  }
};

}  // namespace

void ClearHow(Experiment* config) {
  const Train& train = config->train();
  const bool clips_buckets = train.grad_clip_norm() > 0 && train.grad_clip_per() == Train::BUCKET;
  for (absl::string_view path : kHowPaths) {
    if (path != kBucketPath || !clips_buckets) Clear(path, config);
  }
}

bool IsHow(absl::string_view path) {
  for (absl::string_view how : kHowPaths) {
    if (path == how || absl::StartsWith(path, absl::StrCat(how, ".")) ||
        absl::StartsWith(path, absl::StrCat(how, "["))) {
      return true;
    }
  }
  return false;
}

std::string ConfigDifference::text() const {
  return absl::StrCat(path, " was ", before, " and is ", now, " now");
}

std::vector<ConfigDifference> Differences(const Message& before, const Message& now) {
  MessageDifferencer differencer;
  Collector collector;
  differencer.ReportDifferencesTo(&collector);
  differencer.Compare(before, now);
  return collector.found;
}

}  // namespace starling
