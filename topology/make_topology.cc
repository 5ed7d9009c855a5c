#include "topology/make_topology.h"

#include "core/config/plugin_ref.pb.h"
#include "core/registry.h"
#include "glog/logging.h"
#include "google/protobuf/text_format.h"

namespace starling {

absl::StatusOr<std::unique_ptr<Topology>> MakeTopology(const std::string& ref, int workers,
                                                       int workers_per_node) {
  PluginRef plugin;
  CHECK(google::protobuf::TextFormat::ParseFromString(ref, &plugin)) << ref;
  Topology::Context context;
  context.workers = workers;
  context.workers_per_node = workers_per_node;
  return Registry<Topology>::Global().Create(plugin, context);
}

}  // namespace starling
