#include "core/config/fields.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/config/nearest.h"
#include "core/config/plugin_ref.pb.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace starling {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

// Keeps the first message, instead of printing all of them.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int /*line*/, int /*column*/, const std::string& message) override {
    if (message_.empty()) message_ = message;
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

std::string Expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "an integer";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "an integer that is not negative";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM: {
      std::vector<std::string> names;
      const EnumDescriptor& type = *field.enum_type();
      for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
      return absl::StrCat(names.size() > 1 ? "one of " : "", absl::StrJoin(names, ", "));
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return "a string in quotes";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a block in braces";
  }
  return "";
}

// The number of bytes that the UTF-8 character at the front of `text` takes; 0 if there is none.
// The four columns of ranges are table 3-7 of the Unicode Standard, version 15.
size_t CharacterBytes(absl::string_view text) {
  const auto in = [&](size_t i, int low, int high) {
    const int byte = static_cast<unsigned char>(text[i]);
    return byte >= low && byte <= high;
  };
  if (in(0, 0x00, 0x7F)) return 1;
  if (text.size() >= 2 && in(0, 0xC2, 0xDF) && in(1, 0x80, 0xBF)) return 2;
  if (text.size() >= 3 && in(0, 0xE0, 0xEF) && in(2, 0x80, 0xBF) &&
      in(1, in(0, 0xE0, 0xE0) ? 0xA0 : 0x80, in(0, 0xED, 0xED) ? 0x9F : 0xBF)) {
    return 3;
  }
  if (text.size() >= 4 && in(0, 0xF0, 0xF4) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) &&
      in(1, in(0, 0xF0, 0xF0) ? 0x90 : 0x80, in(0, 0xF4, 0xF4) ? 0x8F : 0xBF)) {
    return 4;
  }
  return 0;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace

const FieldRules& RulesOf(const FieldDescriptor& field) {
  return field.options().GetExtension(rules);
}

bool IsPluginRef(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == PluginRef::descriptor();
}

bool IsPlainMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsPluginRef(field) &&
         field.message_type()->full_name() != "google.protobuf.Any";
}

std::string ParseScalar(const std::string& text, const FieldDescriptor& field, Message* message) {
  const std::string wrong =
      absl::StrCat("expected ", Expected(field), ", got ", text.empty() ? "nothing" : text);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
      field.enum_type()->FindValueByName(text) == nullptr) {
    return wrong;
  }
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  const bool parsed = parser.ParseFieldValueFromString(text, &field, message);
  if (absl::StartsWith(error.message(), "Integer out of range") &&
      field.cpp_type() != FieldDescriptor::CPPTYPE_BOOL) {
    return absl::StrCat(text, " does not fit into ", field.type_name());
  }
  // Mistakes inside a token, such as a missing quote, are reported, but fail nothing.
  if (!parsed || !error.message().empty()) return wrong;
  if (field.type() == FieldDescriptor::TYPE_STRING) {
    // Protobuf would write such a string into an Any, and not read it back.
    const Reflection& reflection = *message->GetReflection();
    const bool list = field.is_repeated();
    const std::string value =
        list ? reflection.GetRepeatedString(*message, &field,
                                            reflection.FieldSize(*message, &field) - 1)
             : reflection.GetString(*message, &field);
    if (!IsUtf8(value)) {
      list ? reflection.RemoveLast(message, &field) : reflection.ClearField(message, &field);
      return "expected text in UTF-8, got other bytes";
    }
  }
  return "";
}

std::string NoSuchField(const google::protobuf::Descriptor& type, absl::string_view name) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  std::string text =
      absl::StrCat(type.name(), " has no field \"", name, "\"", DidYouMean(name, names),
                   " Fields: ", names.empty() ? "none" : absl::StrJoin(names, ", "));
  if (&type == PluginRef::descriptor()) {
    absl::StrAppend(&text, ". What the plug-in itself takes goes into config");
  }
  return text;
}

std::string WrongConfigType(const PluginInfo& info, absl::string_view given) {
  return absl::StrCat(info.kind, " \"", info.facts.name, "\" takes ",
                      info.default_config->GetDescriptor()->full_name(), ", not ", given);
}

}  // namespace starling
