// Registries: string names to factories of plug-ins, one registry per kind of product.
//
// A plug-in is one folder. The last line of its .cc registers it:
//
//   STARLING_REGISTER_PLUGIN(Topology, Ring, RingConfig,
//                            PluginFacts{"ring", "two neighbours, 1/3 each", "where from"});
//
// where Topology::kKind is "topology", Topology::Context carries what a factory needs beside its
// config (number of workers, seed, ...), and Ring has
//
//   static absl::StatusOr<std::unique_ptr<Topology>> Create(const RingConfig&,
//                                                           const Topology::Context&);
//
// The config that Create sees is resolved (every default filled in) and validated against the
// rules of its fields; Create checks only what rules cannot say.
#ifndef CORE_REGISTRY_H_
#define CORE_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config/plugin_ref.pb.h"
#include "core/config/resolve.h"
#include "core/plugin_table.h"
#include "core/status.h"
#include "google/protobuf/message.h"

namespace starling {

template <typename Product>
class Registry {
 public:
  using Context = typename Product::Context;
  using Factory = std::function<absl::StatusOr<std::unique_ptr<Product>>(
      const google::protobuf::Message& config, const Context& context)>;

  static Registry& Global() {
    static Registry* registry = new Registry;
    return *registry;
  }

  void Register(PluginInfo info, Factory factory) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      factories_[info.facts.name] = std::move(factory);
    }
    PluginTable::Global().Add(std::move(info));
  }

  // Makes the product that `ref` names. Errors as PluginTable::Get, ResolvedConfig, and the
  // plug-in's own.
  absl::StatusOr<std::unique_ptr<Product>> Create(const PluginRef& ref,
                                                  const Context& context) const {
    ASSIGN_OR_RETURN(const PluginInfo* info, PluginTable::Global().Get(Product::kKind, ref.name()));
    ASSIGN_OR_RETURN(auto config, ResolvedConfig(*info, ref));
    Factory factory;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      factory = factories_.at(info->facts.name);
    }
    return factory(*config, context);
  }

  // Registered names, sorted, without aliases.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const PluginInfo* info : PluginTable::Global().List(Product::kKind)) {
      names.push_back(info->facts.name);
    }
    return names;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Factory> factories_;
};

template <typename Product, typename Impl, typename Config>
bool RegisterPlugin(PluginFacts facts) {
  Registry<Product>::Global().Register(
      PluginInfo{Product::kKind, std::move(facts), &Config::default_instance()},
      [](const google::protobuf::Message& config, const typename Product::Context& context) {
        return Impl::Create(static_cast<const Config&>(config), context);
      });
  return true;
}

}  // namespace starling

// At namespace scope, at the end of the plug-in's .cc. Variadic, because facts contain commas.
// Impl may register several times (under several names) with distinct `Impl` aliases.
#define STARLING_REGISTER_PLUGIN(Product, Impl, Config, ...) \
  [[maybe_unused]] static const bool registered_##Impl =     \
      ::starling::RegisterPlugin<Product, Impl, Config>(__VA_ARGS__)

#endif  // CORE_REGISTRY_H_
