#include "experiments/csv.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace starling {

std::string CsvRow(const std::vector<std::string>& fields) {
  const auto quoted = [](std::string* out, const std::string& field) {
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      absl::StrAppend(out, field);
    } else {
      absl::StrAppend(out, "\"", absl::StrReplaceAll(field, {{"\"", "\"\""}}), "\"");
    }
  };
  return absl::StrCat(absl::StrJoin(fields, ",", quoted), "\n");
}

absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsv(absl::string_view text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  int line = 1;
  size_t at = 0;
  while (at < text.size()) {
    std::string field;
    if (text[at] == '"') {
      const int opened = line;
      for (++at;; ++at) {
        if (at == text.size()) {
          return absl::InvalidArgumentError(
              absl::StrCat("line ", opened, ": a quote is not closed"));
        }
        if (text[at] == '"') {
          if (at + 1 == text.size() || text[at + 1] != '"') break;
          ++at;  // two quotes stand for one
        }
        if (text[at] == '\n') ++line;
        field += text[at];
      }
      ++at;
      if (at < text.size() && text.find_first_of(",\r\n", at) != at) {
        return absl::InvalidArgumentError(
            absl::StrCat("line ", line, ": a comma must follow a closing quote, not \"",
                         text.substr(at, 1), "\""));
      }
    } else {
      const size_t end = std::min(text.find_first_of(",\r\n", at), text.size());
      field = std::string(text.substr(at, end - at));
      at = end;
    }
    const bool more = at < text.size() && text[at] == ',';
    const bool empty = row.empty() && field.empty() && !more;
    row.push_back(field);
    if (more) {
      ++at;
      if (at < text.size()) continue;
      row.emplace_back();  // after a comma that ends the text
    }
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') ++at;
    ++line;
    if (!empty) rows.push_back(row);
    row.clear();
  }
  return rows;
}

}  // namespace starling
