#include "experiments/combination_label.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace starling {

std::string CombinationLabel(const std::vector<std::string>& columns,
                             const std::vector<std::string>& values) {
  const auto end_of = [](const std::string& path) { return path.substr(path.rfind('.') + 1); };
  std::map<std::string, int> ends;
  for (const std::string& column : columns) ++ends[end_of(column)];
  std::vector<std::string> parts;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string& column = columns[i];
    if (values[i].empty()) continue;
    if (column == "arm" || absl::EndsWith(column, ".name")) {
      parts.push_back(values[i]);
    } else {
      parts.push_back(
          absl::StrCat(ends[end_of(column)] > 1 ? column : end_of(column), "=", values[i]));
    }
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace starling
