// What every walk over a config must know of one field: its rules, what it holds, and how text
// becomes its value.
#ifndef CORE_CONFIG_FIELDS_H_
#define CORE_CONFIG_FIELDS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "core/config/options.pb.h"
#include "core/plugin_table.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace starling {

const FieldRules& RulesOf(const google::protobuf::FieldDescriptor& field);

bool IsPluginRef(const google::protobuf::FieldDescriptor& field);

// Whether `field` holds messages to walk into, neither plug-in references nor Anys.
bool IsPlainMessage(const google::protobuf::FieldDescriptor& field);

// Sets the scalar `field` of `message` (adds to it, if it is a list) to what `text` means in text
// format. Enum values go by name only: a number says nothing to a reader. Returns what is wrong
// with it, e.g. "expected an integer, got two"; empty if all is well.
std::string ParseScalar(const std::string& text, const google::protobuf::FieldDescriptor& field,
                        google::protobuf::Message* message);

// Returns `GossipConfig has no field "ordr"; did you mean "order"? Fields: order`.
std::string NoSuchField(const google::protobuf::Descriptor& type, absl::string_view name);

// Returns `algorithm "gossip" takes starling.GossipConfig, not starling.SgdConfig`.
std::string WrongConfigType(const PluginInfo& info, absl::string_view given);

}  // namespace starling

#endif  // CORE_CONFIG_FIELDS_H_
