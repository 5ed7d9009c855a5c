#include "core/config/problem.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace starling {

void TextLocations::Record(absl::string_view path, std::string origin) {
  const std::string key(path);
  if (key.empty()) origins_.clear();
  for (auto it = origins_.lower_bound(key);
       it != origins_.end() && absl::StartsWith(it->first, key);) {
    // "arm[0]" and "arm.name" lie beneath "arm"; "arms" does not.
    const bool beneath = it->first.size() > key.size() &&
                         (it->first[key.size()] == '.' || it->first[key.size()] == '[');
    it = beneath ? origins_.erase(it) : std::next(it);
  }
  origins_[key] = std::move(origin);
}

std::string TextLocations::Find(absl::string_view path) const {
  for (;;) {
    const auto it = origins_.find(std::string(path));
    if (it != origins_.end()) return it->second;
    if (path.empty()) return "";
    const size_t end = path.find_last_of(".[");
    path = path.substr(0, end == absl::string_view::npos ? 0 : end);
  }
}

TextLocations TextLocations::Below(absl::string_view path) const {
  TextLocations below;
  below.Record("", Find(path));
  const std::string prefix = absl::StrCat(path, ".");
  for (const auto& [whole, origin] : origins_) {
    if (absl::StartsWith(whole, prefix)) below.Record(whole.substr(prefix.size()), origin);
  }
  return below;
}

absl::Status ProblemsStatus(const std::vector<Problem>& problems, const TextLocations& locations) {
  if (problems.empty()) return absl::OkStatus();
  std::vector<std::string> lines;
  for (const Problem& problem : problems) {
    const std::string origin = locations.Find(problem.path);
    lines.push_back(absl::StrCat(origin, origin.empty() ? "" : ": ", problem.message));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

}  // namespace starling
