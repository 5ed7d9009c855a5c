// For tests: plug-ins from one line of text.
#ifndef OPTIM_CREATE_FROM_TEXT_H_
#define OPTIM_CREATE_FROM_TEXT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "google/protobuf/text_format.h"

namespace starling {

// Makes the plug-in `name` from its config message in text format, e.g. "lr: 0.1". Errors are
// those of Registry::Create.
template <typename Product>
absl::StatusOr<std::unique_ptr<Product>> CreateFromText(
    const std::string& name, const std::string& config,
    const typename Product::Context& context = {}) {
  ASSIGN_OR_RETURN(const PluginInfo* info, PluginTable::Global().Get(Product::kKind, name));
  std::unique_ptr<google::protobuf::Message> message(info->default_config->New());
  CHECK(google::protobuf::TextFormat::ParseFromString(config, message.get())) << config;
  PluginRef ref;
  ref.set_name(name);
  ref.mutable_config()->PackFrom(*message);
  return Registry<Product>::Global().Create(ref, context);
}

}  // namespace starling

#endif  // OPTIM_CREATE_FROM_TEXT_H_
