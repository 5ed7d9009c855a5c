// Plug-ins that have configs and no code, for the tests of core.
#include "core/config/test_config.pb.h"
#include "core/plugin_table.h"

namespace starling::testing {
namespace {

template <typename Config>
void Add(const char* kind, const char* name, std::vector<std::string> aliases = {}) {
  PluginInfo info{kind, {}, &Config::default_instance()};
  info.facts.name = name;
  info.facts.aliases = std::move(aliases);
  PluginTable::Global().Add(std::move(info));
}

[[maybe_unused]] const bool added = [] {
  Add<GossipConfig>("algorithm", "gossip", {"d-psgd"});
  Add<EmptyConfig>("algorithm", "allreduce");
  Add<AdamConfig>("optimizer", "adam");
  Add<AdamConfig>("optimizer", "adam_w");
  Add<SgdConfig>("optimizer", "sgd");
  Add<TopKConfig>("compressor", "top_k");
  Add<EmptyConfig>("compressor", "sign");
  return true;
}();

}  // namespace
}  // namespace starling::testing
