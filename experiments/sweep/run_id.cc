#include "experiments/sweep/run_id.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/checksum.h"
#include "core/config/resolve.h"
#include "core/config/text.h"
#include "core/plugin_table.h"
#include "core/status.h"
#include "data/dataset.h"
#include "experiments/identity.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace starling {
namespace {

// `config` is resolved, so what it names exists.
void ClearPlaces(PluginRef* dataset) {
  const auto info = PluginTable::Global().Get(Dataset::kKind, dataset->name());
  CHECK_OK(info);
  auto config = UnpackedConfig(**info, *dataset);
  CHECK_OK(config);
  for (const char* name : {"dir", "path"}) {
    const auto* field = (*config)->GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) (*config)->GetReflection()->ClearField(config->get(), field);
  }
  dataset->mutable_config()->PackFrom(**config);
}

}  // namespace

std::string RunId(Experiment config, uint64_t fingerprint,
                  const std::vector<std::string>& assignments) {
  ClearHow(&config);
  ClearPlaces(config.mutable_dataset());
  std::string identity = absl::StrFormat("%sdata %016x\n", PrintText(config), fingerprint);
  for (const std::string& assignment : assignments) {
    if (IsHow(assignment.substr(0, assignment.find('=')))) {
      absl::StrAppend(&identity, assignment, "\n");
    }
  }
  Crc64 hash;
  hash.Add(identity);
  return absl::StrFormat("%016x", hash.value());
}

}  // namespace starling
