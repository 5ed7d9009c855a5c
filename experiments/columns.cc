#include "experiments/columns.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace starling {

std::string RowText(const std::string& left, const std::string& right, int column) {
  std::string text;
  std::string line = absl::StrFormat("  %-*s", column - 3, left);
  bool empty = true;  // nothing of `right` in the line yet
  for (absl::string_view word : absl::StrSplit(right, ' ')) {
    if (!empty && line.size() + 1 + word.size() > 80) {
      absl::StrAppend(&text, line, "\n");
      line = std::string(column - 1, ' ');
    }
    absl::StrAppend(&line, " ", word);
    empty = false;
  }
  return absl::StrCat(text, line, "\n");
}

}  // namespace starling
