// The list of every plug-in linked into this binary, of every kind, without their types: what
// configs, `starling list` and error messages need to know of plug-ins.
#ifndef CORE_PLUGIN_TABLE_H_
#define CORE_PLUGIN_TABLE_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace starling {

struct PluginFacts {
  std::string name;                       // snake_case, the paper's short name
  std::string summary;                    // one line for `starling list`
  std::string source = {};                // paper or definition; may be empty
  std::vector<std::string> aliases = {};  // other accepted names
  std::string limits = {};  // legal worlds in words ("workers a power of two"); may be empty
};

struct PluginInfo {
  std::string kind;
  PluginFacts facts;
  const google::protobuf::Message* default_config;  // unresolved prototype, lives for ever
};

// Every plug-in linked into this binary, of every kind. Thread-safe.
class PluginTable {
 public:
  static PluginTable& Global();

  // CHECK-fails on a name or alias that the kind has already: a mistake in the build.
  void Add(PluginInfo info);

  // A plug-in of Starling's that this program cannot have; `why` ends a sentence about it: "needs
  // a program built with ...".
  bool AddAbsent(absl::string_view kind, absl::string_view name, absl::string_view why);

  // The plug-in of this name or alias ('-' counts as '_'); null if there is none.
  const PluginInfo* Find(absl::string_view kind, absl::string_view name) const;

  // As Find; NOT_FOUND says why it is absent, or names the nearest registered name and lists them
  // all.
  absl::StatusOr<const PluginInfo*> Get(absl::string_view kind, absl::string_view name) const;

  std::vector<std::string> Kinds() const;                             // sorted
  std::vector<const PluginInfo*> List(absl::string_view kind) const;  // sorted by name

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, std::unique_ptr<PluginInfo>>, std::less<>> kinds_;
  std::map<std::pair<std::string, std::string>, std::string> absent_;  // (kind, name): why
};

}  // namespace starling

#endif  // CORE_PLUGIN_TABLE_H_
