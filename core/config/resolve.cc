#include "core/config/resolve.h"

#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"

namespace starling {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

// Calls `visit(sub_message, path)` for every present message of `field`.
template <typename Visit>
void ForEachMessage(Message* message, const FieldDescriptor& field, absl::string_view path,
                    const Visit& visit) {
  const Reflection& reflection = *message->GetReflection();
  if (field.is_repeated()) {
    for (int i = 0; i < reflection.FieldSize(*message, &field); ++i) {
      visit(reflection.MutableRepeatedMessage(message, &field, i),
            absl::StrCat(path, field.name(), "[", i, "]"));
    }
  } else if (reflection.HasField(*message, &field)) {
    visit(reflection.MutableMessage(message, &field), absl::StrCat(path, field.name()));
  }
}

bool IsNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return true;
    default:
      return false;
  }
}

// The value of a numeric field as a double; entry `index` of a list.
double NumberOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return list ? r.GetRepeatedInt32(message, &field, index) : r.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return list ? r.GetRepeatedInt64(message, &field, index) : r.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return list ? r.GetRepeatedUInt32(message, &field, index) : r.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return list ? r.GetRepeatedUInt64(message, &field, index) : r.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return list ? r.GetRepeatedFloat(message, &field, index) : r.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return list ? r.GetRepeatedDouble(message, &field, index) : r.GetDouble(message, &field);
    default:
      return 0;
  }
}

bool Legal(double value, const FieldRules& rules) {
  if (std::isnan(value)) return false;
  if (rules.has_min() && (value < rules.min() || (rules.exclusive_min() && value == rules.min()))) {
    return false;
  }
  if (rules.has_max() && (value > rules.max() || (rules.exclusive_max() && value == rules.max()))) {
    return false;
  }
  return true;
}

void CheckNumbers(const Message& message, const FieldDescriptor& field, absl::string_view path,
                  std::vector<Problem>* problems) {
  const FieldRules& rules = RulesOf(field);
  const Reflection& reflection = *message.GetReflection();
  const bool list = field.is_repeated();
  if (!list && !reflection.HasField(message, &field)) return;
  const int size = list ? reflection.FieldSize(message, &field) : 1;
  for (int i = 0; i < size; ++i) {
    if (Legal(NumberOf(message, field, i), rules)) continue;
    std::string value;
    TextFormat::PrintFieldValueToString(message, &field, list ? i : -1, &value);
    const std::string place =
        absl::StrCat(path, field.name(), list ? absl::StrCat("[", i, "]") : "");
    problems->push_back(
        {place, absl::StrCat(place, " is ", value, "; it must be ", RangeText(rules),
                             rules.unit().empty() ? "" : " ", rules.unit())});
  }
}

// Defaults, rules and plug-ins of `message`, in this order.
void ResolveAt(Message* message, absl::string_view path, std::vector<Problem>* problems) {
  ResolveDefaults(message);
  ValidateRules(*message, path, problems);
  ResolvePlugins(message, path, problems);
}

void ResolveRef(PluginRef* ref, const FieldRules& rules, const std::string& path,
                std::vector<Problem>* problems) {
  if (ref->name().empty()) ref->set_name(rules.default_());
  if (ref->name().empty()) {
    problems->push_back({path + ".name", absl::StrCat(path, ".name is missing; `starling list ",
                                                      rules.plugin_kind(), "` prints the choice")});
    return;
  }
  const auto info = PluginTable::Global().Get(rules.plugin_kind(), ref->name());
  if (!info.ok()) {
    problems->push_back({path + ".name", absl::StrCat(path, ".name: ", info.status().message())});
    return;
  }
  ref->set_name((*info)->facts.name);
  const auto config = UnpackedConfig(**info, *ref);
  if (!config.ok()) {
    problems->push_back(
        {path + ".config", absl::StrCat(path, ".config: ", config.status().message())});
    return;
  }
  ResolveAt(config->get(), path + ".config.", problems);
  ref->mutable_config()->PackFrom(**config);
}

// Legal limits are round numbers: whole ones print without exponents.
std::string LimitText(double limit) {
  const bool whole = std::abs(limit) < 1e15 && limit == std::floor(limit);
  return whole ? absl::StrCat(static_cast<int64_t>(limit)) : absl::StrCat(limit);
}

}  // namespace

std::string RangeText(const FieldRules& rules) {
  std::vector<std::string> parts;
  if (rules.has_min()) {
    parts.push_back(absl::StrCat(rules.exclusive_min() ? "greater than " : "at least ",
                                 LimitText(rules.min())));
  }
  if (rules.has_max()) {
    parts.push_back(
        absl::StrCat(rules.exclusive_max() ? "less than " : "at most ", LimitText(rules.max())));
  }
  return parts.empty() ? "a number" : absl::StrJoin(parts, " and ");
}

void ResolveDefaults(Message* message) {
  const Reflection& reflection = *message->GetReflection();
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    // A default for one member of a oneof would choose for the user.
    if (field.real_containing_oneof() != nullptr && !reflection.HasField(*message, &field))
      continue;
    if (IsPlainMessage(field)) {
      if (!field.is_repeated()) reflection.MutableMessage(message, &field);
      ForEachMessage(message, field, "",
                     [](Message* child, const std::string&) { ResolveDefaults(child); });
      continue;
    }
    const std::string& text = RulesOf(field).default_();
    if (text.empty() || IsPluginRef(field)) continue;
    bool parsed = true;
    if (field.is_repeated()) {
      if (reflection.FieldSize(*message, &field) > 0) continue;
      parsed = TextFormat::MergeFromString(absl::StrCat(field.name(), ": ", text), message);
    } else {
      if (reflection.HasField(*message, &field)) continue;
      const bool quote = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      parsed = ParseScalar(quote ? absl::StrCat("\"", text, "\"") : text, field, message).empty();
    }
    CHECK(parsed) << field.full_name() << " has a default that does not parse: " << text;
  }
}

void ValidateRules(const Message& message, absl::string_view path, std::vector<Problem>* problems) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsNumber(field)) CheckNumbers(message, field, path, problems);
    if (IsPlainMessage(field)) {
      // Reading only; the shared walk wants a mutable message.
      ForEachMessage(const_cast<Message*>(&message), field, path,
                     [&](Message* child, const std::string& child_path) {
                       ValidateRules(*child, child_path + ".", problems);
                     });
    }
  }
}

void ResolvePlugins(Message* message, absl::string_view path, std::vector<Problem>* problems) {
  const Descriptor& type = *message->GetDescriptor();
  const Reflection& reflection = *message->GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsPluginRef(field)) {
      const FieldRules& rules = RulesOf(field);
      CHECK(!rules.plugin_kind().empty()) << field.full_name() << " has no plugin_kind";
      if (!field.is_repeated() && !rules.default_().empty()) {
        reflection.MutableMessage(message, &field);
      }
      ForEachMessage(message, field, path, [&](Message* child, const std::string& child_path) {
        ResolveRef(static_cast<PluginRef*>(child), rules, child_path, problems);
      });
    } else if (IsPlainMessage(field)) {
      ForEachMessage(message, field, path, [&](Message* child, const std::string& child_path) {
        ResolvePlugins(child, child_path + ".", problems);
      });
    }
  }
}

std::vector<Problem> Resolve(Message* message) {
  std::vector<Problem> problems;
  ResolveAt(message, "", &problems);
  return problems;
}

absl::Status ResolveAndValidate(Message* message) { return ProblemsStatus(Resolve(message)); }

absl::StatusOr<std::unique_ptr<Message>> UnpackedConfig(const PluginInfo& info,
                                                        const PluginRef& ref) {
  std::unique_ptr<Message> config(info.default_config->New());
  const std::string& url = ref.config().type_url();
  if (url.empty()) return config;
  const std::string given = url.substr(url.rfind('/') + 1);
  if (given != info.default_config->GetDescriptor()->full_name()) {
    return absl::InvalidArgumentError(WrongConfigType(info, given));
  }
  if (!ref.config().UnpackTo(config.get())) {
    return absl::InvalidArgumentError(
        absl::StrCat("the config of ", info.kind, " \"", info.facts.name, "\" is corrupt"));
  }
  return config;
}

absl::StatusOr<std::unique_ptr<Message>> ResolvedConfig(const PluginInfo& info,
                                                        const PluginRef& ref) {
  ASSIGN_OR_RETURN(auto config, UnpackedConfig(info, ref));
  RETURN_IF_ERROR(WithContext(ResolveAndValidate(config.get()),
                              absl::StrCat(info.kind, " \"", info.facts.name, "\"")));
  return config;
}

}  // namespace starling
