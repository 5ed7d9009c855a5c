// SetField of text.h.
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "core/config/fields.h"
#include "core/config/resolve.h"
#include "core/config/text.h"
#include "core/config/text_builder.h"
#include "core/config/text_tree.h"
#include "core/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"

namespace starling {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

// One step of a path: "arm[1]", or without index "train".
struct Step {
  std::string name;
  int index = -1;  // of an entry of a list; -1: none
};

absl::StatusOr<std::vector<Step>> ParsePath(absl::string_view path) {
  std::vector<Step> steps;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(part, absl::MaxSplits('[', 1));
    Step step{std::string(halves.first), -1};
    if (halves.first.size() < part.size()) {
      absl::string_view index = halves.second;
      if (!absl::ConsumeSuffix(&index, "]") || !absl::SimpleAtoi(index, &step.index) ||
          step.index < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("\"", part, "\" is neither name nor name[index]"));
      }
    }
    if (step.name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the path \"", path, "\" has an empty part"));
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

// One assignment, on its way down the path.
class Assignment {
 public:
  Assignment(absl::string_view value, std::vector<std::string>* notes)
      : value_(value), notes_(notes) {}

  // Assigns to the field of `message` that `steps` lead to. `plugin`: if `message` is a PluginRef,
  // the rules of the field that holds it. `path` leads to `message`, as in Problem.
  absl::Status Apply(absl::Span<const Step> steps, const FieldRules* plugin,
                     const std::string& path, Message* message) {
    const Step& step = steps[0];
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(step.name);
    if (field == nullptr) return Error(NoSuchField(*message->GetDescriptor(), step.name));
    RETURN_IF_ERROR(CheckIndex(step, *field, path, *message));
    if (steps.size() == 1) return Assign(step, *field, plugin, path, message);

    const std::string place = path + field->name();
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return Error(
          absl::StrCat(place, " is a single value, it has no field \"", steps[1].name, "\""));
    }
    const Reflection& reflection = *message->GetReflection();
    if (field->is_repeated() && step.index < 0) {
      return Error(absl::StrCat(place, " is a list; choose an entry: ", place, "[0]"));
    }
    const absl::Span<const Step> rest = steps.subspan(1);
    if (plugin != nullptr && field->number() == PluginRef::kConfigFieldNumber) {
      return ApplyToConfig(rest, *plugin, path, static_cast<PluginRef*>(message));
    }
    Message* child = field->is_repeated()
                         ? reflection.MutableRepeatedMessage(message, field, step.index)
                         : reflection.MutableMessage(message, field);
    const std::string child_path =
        field->is_repeated() ? absl::StrCat(place, "[", step.index, "].") : place + ".";
    return Apply(rest, IsPluginRef(*field) ? &RulesOf(*field) : nullptr, child_path, child);
  }

 private:
  static absl::Status Error(absl::string_view message) {
    return absl::InvalidArgumentError(message);
  }

  static absl::Status CheckIndex(const Step& step, const FieldDescriptor& field,
                                 const std::string& path, const Message& message) {
    if (step.index < 0) return absl::OkStatus();
    if (!field.is_repeated()) return Error(absl::StrCat(path, step.name, " is not a list"));
    const int size = message.GetReflection()->FieldSize(message, &field);
    if (step.index < size) return absl::OkStatus();
    return Error(absl::StrCat(path, step.name, "[", step.index, "] does not exist; the list has ",
                              size, size == 1 ? " entry" : " entries"));
  }

  // The plug-in that `ref` at `path` (ending in '.') selects.
  static absl::StatusOr<const PluginInfo*> Selected(const PluginRef& ref, const FieldRules& rules,
                                                    const std::string& path) {
    const std::string& name = ref.name().empty() ? rules.default_() : ref.name();
    if (name.empty()) {
      return Error(absl::StrCat(path, "name is not set, so nobody knows whose config this is"));
    }
    return PluginTable::Global().Get(rules.plugin_kind(), name);
  }

  absl::Status ApplyToConfig(absl::Span<const Step> rest, const FieldRules& rules,
                             const std::string& path, PluginRef* ref) {
    ASSIGN_OR_RETURN(const PluginInfo* info, Selected(*ref, rules, path));
    ASSIGN_OR_RETURN(const auto config, UnpackedConfig(*info, *ref));
    RETURN_IF_ERROR(Apply(rest, nullptr, path + "config.", config.get()));
    ref->mutable_config()->PackFrom(*config);
    return absl::OkStatus();
  }

  absl::Status Assign(const Step& step, const FieldDescriptor& field, const FieldRules* plugin,
                      const std::string& path, Message* message) {
    if (plugin != nullptr) {
      PluginRef* ref = static_cast<PluginRef*>(message);
      return field.number() == PluginRef::kNameFieldNumber ? Rename(*plugin, path, ref)
                                                           : AssignConfig(*plugin, path, ref);
    }
    const Reflection& reflection = *message->GetReflection();
    if (step.index < 0) reflection.ClearField(message, &field);
    const bool whole_list = field.is_repeated() && step.index < 0 && absl::StartsWith(value_, "[");
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE || whole_list) {
      TextField text;
      RETURN_IF_ERROR(ParseValue(&text));
      if (text.is_list && !whole_list) return Error("expected one value, got a list");
      TextBuilder builder;
      builder.FillField(text, field, path, message);
      RETURN_IF_ERROR(StatusOf(builder));
    } else {
      const std::string wrong = ParseScalar(ScalarText(field), field, message);
      if (!wrong.empty()) return Error(wrong);
    }
    if (step.index >= 0) {  // The new entry is the last one.
      const int last = reflection.FieldSize(*message, &field) - 1;
      reflection.SwapElements(message, &field, step.index, last);
      reflection.RemoveLast(message, &field);
    }
    return absl::OkStatus();
  }

  absl::Status AssignConfig(const FieldRules& rules, const std::string& path, PluginRef* ref) {
    ASSIGN_OR_RETURN(const PluginInfo* info, Selected(*ref, rules, path));
    TextField text;
    RETURN_IF_ERROR(ParseValue(&text));
    ref->clear_config();
    TextBuilder builder;
    builder.FillConfig(text, *info, path.substr(0, path.size() - 1), ref);
    return StatusOf(builder);
  }

  absl::Status Rename(const FieldRules& rules, const std::string& path, PluginRef* ref) {
    const FieldDescriptor& field =
        *PluginRef::descriptor()->FindFieldByNumber(PluginRef::kNameFieldNumber);
    const std::string wrong = ParseScalar(ScalarText(field), field, ref);
    if (!wrong.empty()) return Error(wrong);
    ASSIGN_OR_RETURN(const PluginInfo* info,
                     PluginTable::Global().Get(rules.plugin_kind(), ref->name()));
    if (ref->config().type_url().empty()) return absl::OkStatus();
    std::unique_ptr<Message> config(info->default_config->New());
    MoveConfig(*info, path, ref->config(), config.get());
    ref->mutable_config()->PackFrom(*config);
    return absl::OkStatus();
  }

  // Copies the fields of `from` that `to`, a config of `info`, has too; notes the others.
  void MoveConfig(const PluginInfo& info, const std::string& path,
                  const google::protobuf::Any& from, Message* to) {
    const std::string type_name = from.type_url().substr(from.type_url().rfind('/') + 1);
    const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName(type_name);
    std::unique_ptr<Message> old;
    if (type != nullptr) {
      old.reset(MessageFactory::generated_factory()->GetPrototype(type)->New());
    }
    if (old == nullptr || !from.UnpackTo(old.get())) {
      notes_->push_back(absl::StrCat(path, "config of type ", type_name, " is dropped"));
      return;
    }
    const Reflection& reflection = *old->GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(*old, &fields);
    for (const FieldDescriptor* field : fields) {
      const FieldDescriptor* same = to->GetDescriptor()->FindFieldByName(field->name());
      const bool same_type = same != nullptr && same->type() == field->type() &&
                             same->is_repeated() == field->is_repeated() &&
                             same->message_type() == field->message_type() &&
                             same->enum_type() == field->enum_type();
      if (same_type) continue;
      notes_->push_back(absl::StrCat(path, "config.", field->name(), " is dropped: ", info.kind,
                                     " \"", info.facts.name, "\" has ",
                                     same == nullptr ? "no such field" : "another type there"));
      reflection.ClearField(old.get(), field);
    }
    // Only fields of equal name and type are left, so text carries over what reflection would need
    // a case per type for.
    CHECK(TextFormat::MergeFromString(PrintText(*old), to));
  }

  // The value in text format: strings may come without quotes.
  std::string ScalarText(const FieldDescriptor& field) const {
    const bool quoted = absl::StartsWith(value_, "\"") || absl::StartsWith(value_, "'");
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING || quoted) return std::string(value_);
    return absl::StrCat("\"", absl::CEscape(value_), "\"");
  }

  // The value as a block or list.
  absl::Status ParseValue(TextField* text) const {
    TextProblem problem;
    return ParseTextValue(value_, text, &problem) ? absl::OkStatus() : Error(problem.message);
  }

  static absl::Status StatusOf(const TextBuilder& builder) {
    std::vector<Problem> problems;
    for (const TextProblem& problem : builder.problems()) problems.push_back({"", problem.message});
    return ProblemsStatus(problems);
  }

  const absl::string_view value_;
  std::vector<std::string>* const notes_;
};

absl::Status Apply(absl::string_view assignment, Message* message,
                   std::vector<std::string>* notes) {
  const size_t equals = assignment.find('=');
  if (equals == absl::string_view::npos) {
    return absl::InvalidArgumentError("expected path=value, e.g. train.epochs=3");
  }
  ASSIGN_OR_RETURN(const std::vector<Step> steps,
                   ParsePath(absl::StripAsciiWhitespace(assignment.substr(0, equals))));
  return Assignment(absl::StripAsciiWhitespace(assignment.substr(equals + 1)), notes)
      .Apply(steps, nullptr, "", message);
}

}  // namespace

absl::Status SetField(Message* message, absl::string_view assignment,
                      std::vector<std::string>* notes) {
  // On a copy, so that a failed assignment changes nothing.
  std::unique_ptr<Message> changed(message->New());
  changed->CopyFrom(*message);
  std::vector<std::string> new_notes;
  const absl::Status status = Apply(assignment, changed.get(), &new_notes);
  if (!status.ok())
    return absl::InvalidArgumentError(absl::StrCat(assignment, ": ", status.message()));
  message->GetReflection()->Swap(message, changed.get());
  notes->insert(notes->end(), new_notes.begin(), new_notes.end());
  return absl::OkStatus();
}

}  // namespace starling
