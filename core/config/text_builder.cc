#include "core/config/text_builder.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/config/fields.h"

namespace starling {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

std::string PlaceText(TextPosition position) {
  return absl::StrCat(position.line, ":", position.column);
}

// Whether `block` holds a message in the long form: its type in brackets.
bool IsLongForm(const TextValue& block) { return !block.fields.empty() && block.fields[0].is_type; }

}  // namespace

void TextBuilder::FillMessage(const TextValue& block, const std::string& path, Message* message) {
  FillFields(block, path, message, nullptr);
}

// With `config`, fields named "config" are put there instead, unread: a plug-in's name may follow
// its config, but must be known first.
void TextBuilder::FillFields(const TextValue& block, const std::string& path, Message* message,
                             const TextField** config) {
  const Descriptor& type = *message->GetDescriptor();
  std::map<const FieldDescriptor*, TextPosition> seen;
  std::map<const OneofDescriptor*, const FieldDescriptor*> chosen;
  for (const TextField& text : block.fields) {
    if (text.is_type) {
      Report(text.position, "a type in brackets may stand only alone in the config of a plug-in");
      continue;
    }
    const FieldDescriptor* field = type.FindFieldByName(text.name);
    if (field == nullptr) {
      Report(text.position, NoSuchField(type, text.name));
      continue;
    }
    const auto [first, is_first] = seen.emplace(field, text.position);
    if (!is_first && !field->is_repeated()) {
      Report(text.position,
             absl::StrCat(path, text.name, " is given twice, first at ", PlaceText(first->second)));
      continue;
    }
    if (const OneofDescriptor* oneof = field->real_containing_oneof()) {
      const FieldDescriptor* other = chosen.emplace(oneof, field).first->second;
      if (other != field) {
        Report(text.position, absl::StrCat(path, text.name, " excludes ", path, other->name(),
                                           ", which is given at ", PlaceText(seen[other])));
        continue;
      }
    }
    if (config != nullptr && field->number() == PluginRef::kConfigFieldNumber) {
      *config = &text;
      continue;
    }
    FillField(text, *field, path, message);
  }
}

void TextBuilder::FillField(const TextField& text, const FieldDescriptor& field,
                            const std::string& path, Message* message) {
  const std::string place = path + field.name();
  if (!field.is_repeated()) {
    if (text.is_list) {
      Report(text.value_position, absl::StrCat(place, ": expected one value, got a list"));
      return;
    }
    FillValue(text.values[0], field, text.position, place, message);
    return;
  }
  int index = message->GetReflection()->FieldSize(*message, &field);
  if (index == 0 && on_field_) on_field_(place, text.position);
  for (const TextValue& value : text.values) {
    FillValue(value, field, text.is_list ? value.position : text.position,
              absl::StrCat(place, "[", index++, "]"), message);
  }
}

// Sets or adds one value. `position` is where a block is said to be: that of its name tells more
// than that of its brace.
void TextBuilder::FillValue(const TextValue& value, const FieldDescriptor& field,
                            TextPosition position, const std::string& path, Message* message) {
  if (on_field_) on_field_(path, value.is_block ? position : value.position);
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    const std::string wrong = ParseScalar(value.is_block ? "{" : value.scalar, field, message);
    if (!wrong.empty()) Report(value.position, absl::StrCat(path, ": ", wrong));
    return;
  }
  const Reflection& reflection = *message->GetReflection();
  Message* child = field.is_repeated() ? reflection.AddMessage(message, &field)
                                       : reflection.MutableMessage(message, &field);
  if (!value.is_block) {
    Report(value.position, absl::StrCat(path, ": expected ",
                                        IsPluginRef(field) ? "a block such as { name: \"...\" }"
                                                           : "a block in braces",
                                        ", got ", value.scalar));
    return;
  }
  if (IsPluginRef(field)) {
    FillPlugin(value, RulesOf(field), position, path, static_cast<PluginRef*>(child));
  } else if (IsPlainMessage(field)) {
    FillMessage(value, path + ".", child);
  } else {
    FillAny(value, nullptr, path, static_cast<Any*>(child));
  }
}

void TextBuilder::FillPlugin(const TextValue& block, const FieldRules& rules, TextPosition position,
                             const std::string& path, PluginRef* ref) {
  const size_t problems_before = problems_.size();
  const TextField* config = nullptr;
  FillFields(block, path + ".", ref, &config);
  for (const TextField& text : block.fields) {
    if (text.is_type || text.name != "name") continue;
    if (ref->name().empty() && problems_.size() > problems_before) return;  // does not parse
    position = text.value_position;
  }
  const std::string& name = ref->name().empty() ? rules.default_() : ref->name();
  if (name.empty()) {
    if (config == nullptr) return;  // may still be set; Resolve insists
    Report(position, absl::StrCat(path, " has a config, but no name to say whose it is; `starling ",
                                  "list ", rules.plugin_kind(), "` prints the choice"));
    return;
  }
  const auto info = PluginTable::Global().Get(rules.plugin_kind(), name);
  if (!info.ok()) {
    Report(position, std::string(info.status().message()));
    return;
  }
  if (config != nullptr) FillConfig(*config, **info, path, ref);
}

void TextBuilder::FillConfig(const TextField& text, const PluginInfo& info, const std::string& path,
                             PluginRef* ref) {
  const std::string place = path + ".config";
  if (on_field_) on_field_(place, text.position);
  const TextValue* block = BlockOf(text, place);
  if (block == nullptr) return;
  if (IsLongForm(*block)) {
    FillAny(*block, &info, place, ref->mutable_config());
    return;
  }
  std::unique_ptr<Message> config(info.default_config->New());
  FillMessage(*block, place + ".", config.get());
  ref->mutable_config()->PackFrom(*config);
}

// Fills `any` from its long form. With `info`, the type must be the one that this plug-in takes.
void TextBuilder::FillAny(const TextValue& block, const PluginInfo* info, const std::string& path,
                          Any* any) {
  if (!IsLongForm(block) || block.fields.size() > 1) {
    const bool more = IsLongForm(block);
    Report(more ? block.fields[1].position : block.position,
           absl::StrCat(path, ": expected ", more ? "nothing more" : "a type in brackets"));
    return;
  }
  const TextField& text = block.fields[0];
  const size_t slash = text.name.rfind('/');
  if (slash == std::string::npos) {
    Report(text.position, absl::StrCat(path, ": expected [type.googleapis.com/", text.name, "]"));
    return;
  }
  const std::string type_name = text.name.substr(slash + 1);
  if (info != nullptr && type_name != info->default_config->GetDescriptor()->full_name()) {
    Report(text.position, WrongConfigType(*info, type_name));
    return;
  }
  const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName(type_name);
  if (type == nullptr) {
    Report(text.position,
           absl::StrCat(path, ": no message ", type_name, " is linked into this binary"));
    return;
  }
  const TextValue* content = BlockOf(text, path);
  if (content == nullptr) return;
  std::unique_ptr<Message> message(MessageFactory::generated_factory()->GetPrototype(type)->New());
  FillMessage(*content, path + ".", message.get());
  any->PackFrom(*message);
}

// The one block that `text` holds; null, and a problem, if it holds anything else.
const TextValue* TextBuilder::BlockOf(const TextField& text, const std::string& path) {
  if (!text.is_list && text.values[0].is_block) return &text.values[0];
  Report(text.value_position, absl::StrCat(path, ": expected a block in braces"));
  return nullptr;
}

void TextBuilder::Report(TextPosition position, std::string message) {
  problems_.push_back({position, std::move(message)});
}

}  // namespace starling
