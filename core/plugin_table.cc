#include "core/plugin_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/config/nearest.h"
#include "glog/logging.h"

namespace starling {
namespace {

std::string Canonical(absl::string_view name) { return absl::StrReplaceAll(name, {{"-", "_"}}); }

bool Answers(const PluginInfo& info, const std::string& canonical) {
  if (info.facts.name == canonical) return true;
  for (const std::string& alias : info.facts.aliases) {
    if (Canonical(alias) == canonical) return true;
  }
  return false;
}

}  // namespace

PluginTable& PluginTable::Global() {
  static PluginTable* table = new PluginTable;
  return *table;
}

void PluginTable::Add(PluginInfo info) {
  std::vector<std::string> names = info.facts.aliases;
  names.push_back(info.facts.name);
  for (const std::string& name : names) {
    CHECK(Find(info.kind, name) == nullptr)
        << info.kind << " \"" << name << "\" is registered twice";
  }
  std::lock_guard<std::mutex> lock(mutex_);
  auto& slot = kinds_[info.kind][info.facts.name];
  slot = std::make_unique<PluginInfo>(std::move(info));
}

bool PluginTable::AddAbsent(absl::string_view kind, absl::string_view name, absl::string_view why) {
  std::lock_guard<std::mutex> lock(mutex_);
  absent_[{std::string(kind), Canonical(name)}] = std::string(why);
  return true;
}

const PluginInfo* PluginTable::Find(absl::string_view kind, absl::string_view name) const {
  const std::string canonical = Canonical(name);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto plugins = kinds_.find(std::string(kind));
  if (plugins == kinds_.end()) return nullptr;
  for (const auto& [unused, info] : plugins->second) {
    if (Answers(*info, canonical)) return info.get();
  }
  return nullptr;
}

absl::StatusOr<const PluginInfo*> PluginTable::Get(absl::string_view kind,
                                                   absl::string_view name) const {
  if (const PluginInfo* info = Find(kind, name)) return info;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto why = absent_.find({std::string(kind), Canonical(name)});
    if (why != absent_.end()) {
      return absl::NotFoundError(
          absl::StrCat(kind, " \"", name, "\" is not in this binary: it ", why->second));
    }
  }
  std::vector<std::string> names, candidates;
  for (const PluginInfo* info : List(kind)) {
    names.push_back(info->facts.name);
    candidates.push_back(info->facts.name);
    candidates.insert(candidates.end(), info->facts.aliases.begin(), info->facts.aliases.end());
  }
  if (names.empty()) {
    return absl::NotFoundError(absl::StrCat("no ", kind,
                                            " is linked into this binary; add the target of \"",
                                            name, "\" to `plugins` of the starling_experiment"));
  }
  return absl::NotFoundError(
      absl::StrCat("no ", kind, " \"", name, "\" is linked into this binary",
                   DidYouMean(name, candidates), " Linked: ", absl::StrJoin(names, ", "),
                   ". A plug-in of your own must be in `plugins` of the starling_experiment."));
}

std::vector<std::string> PluginTable::Kinds() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> kinds;
  for (const auto& [kind, unused] : kinds_) kinds.push_back(kind);
  return kinds;
}

std::vector<const PluginInfo*> PluginTable::List(absl::string_view kind) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<const PluginInfo*> infos;
  const auto plugins = kinds_.find(std::string(kind));
  if (plugins == kinds_.end()) return infos;
  for (const auto& [unused, info] : plugins->second) infos.push_back(info.get());
  return infos;
}

}  // namespace starling
