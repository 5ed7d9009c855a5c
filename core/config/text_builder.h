// From the tree of a text to messages: finds the fields by their names, gives plug-ins' configs
// the type that the plug-in's name says, and collects every mistake on the way.
#ifndef CORE_CONFIG_TEXT_BUILDER_H_
#define CORE_CONFIG_TEXT_BUILDER_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/config/options.pb.h"
#include "core/config/plugin_ref.pb.h"
#include "core/config/text_tree.h"
#include "core/plugin_table.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace starling {

// Fills messages from text. Paths are those of Problem: empty or ending in '.' where they are put
// in front of names.
class TextBuilder {
 public:
  // Called with the path and place of every field and every entry of a list.
  using OnField = std::function<void(const std::string& path, TextPosition position)>;

  explicit TextBuilder(OnField on_field = nullptr) : on_field_(std::move(on_field)) {}

  // Sets the fields of `message` that stand in `block`.
  void FillMessage(const TextValue& block, const std::string& path,
                   google::protobuf::Message* message);

  // Sets `field` of `message`, or adds to it, if it is a list.
  void FillField(const TextField& text, const google::protobuf::FieldDescriptor& field,
                 const std::string& path, google::protobuf::Message* message);

  // Sets the config of `ref`, which lies at `path`, to `text` ("config { ... }", either form), as
  // `info` takes it.
  void FillConfig(const TextField& text, const PluginInfo& info, const std::string& path,
                  PluginRef* ref);

  // In the order in which they were met.
  const std::vector<TextProblem>& problems() const { return problems_; }

 private:
  void FillPlugin(const TextValue& block, const FieldRules& rules, TextPosition position,
                  const std::string& path, PluginRef* ref);
  void FillFields(const TextValue& block, const std::string& path,
                  google::protobuf::Message* message, const TextField** config);
  void FillAny(const TextValue& block, const PluginInfo* info, const std::string& path,
               google::protobuf::Any* any);
  void FillValue(const TextValue& value, const google::protobuf::FieldDescriptor& field,
                 TextPosition position, const std::string& path,
                 google::protobuf::Message* message);
  const TextValue* BlockOf(const TextField& text, const std::string& path);
  void Report(TextPosition position, std::string message);

  OnField on_field_;
  std::vector<TextProblem> problems_;
};

}  // namespace starling

#endif  // CORE_CONFIG_TEXT_BUILDER_H_
