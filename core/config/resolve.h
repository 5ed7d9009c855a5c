// Resolving and checking configs by the rules of their fields (options.proto).
#ifndef CORE_CONFIG_RESOLVE_H_
#define CORE_CONFIG_RESOLVE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/config/fields.h"
#include "core/config/options.pb.h"
#include "core/config/plugin_ref.pb.h"
#include "core/config/problem.h"
#include "core/plugin_table.h"
#include "google/protobuf/message.h"

namespace starling {

// Writes the default of every unset field of `message` into it, in sub-messages too. A default
// that does not parse is a mistake in the .proto and CHECK-fails. Plug-ins named by PluginRef
// fields are left alone: ResolvePlugins does them.
void ResolveDefaults(google::protobuf::Message* message);

// Appends a problem per broken rule: "train.epochs is -1; it must be at least 0". `path` is put in
// front of field names (empty or ending in '.').
void ValidateRules(const google::protobuf::Message& message, absl::string_view path,
                   std::vector<Problem>* problems);

// Resolves every PluginRef inside `message` (at any depth, through configs): names become
// canonical, configs are resolved, checked and packed. Appends problems instead of stopping.
void ResolvePlugins(google::protobuf::Message* message, absl::string_view path,
                    std::vector<Problem>* problems);

// All three; returns all problems. Callers add what they check themselves, and report everything
// at once with ProblemsStatus.
std::vector<Problem> Resolve(google::protobuf::Message* message);

// Resolve as one status: INVALID_ARGUMENT with every problem on a line of its own.
absl::Status ResolveAndValidate(google::protobuf::Message* message);

// Returns the config of `ref` for the plug-in `info`: its prototype with the fields of `ref`,
// resolved and validated. INVALID_ARGUMENT names every wrong field, its value and what is legal,
// or both types if `ref` holds a config of another type.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ResolvedConfig(const PluginInfo& info,
                                                                          const PluginRef& ref);

// As ResolvedConfig, but just as it is in `ref`, neither resolved nor validated.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> UnpackedConfig(const PluginInfo& info,
                                                                          const PluginRef& ref);

// The legal range in words, "greater than 0 and at most 1"; "a number" without limits.
std::string RangeText(const FieldRules& rules);

}  // namespace starling

#endif  // CORE_CONFIG_RESOLVE_H_
