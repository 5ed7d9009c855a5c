#include "topology/from_file/edge_list.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace starling {
namespace {

// What stands in the file, fit for a message.
std::string Quoted(absl::string_view text) {
  constexpr size_t kShown = 40;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kShown)),
                      text.size() > kShown ? "...\"" : "\"");
}

}  // namespace

absl::StatusOr<UndirectedEdges> ParseEdgeList(absl::string_view text, absl::string_view file,
                                              int workers) {
  UndirectedEdges edges;
  int64_t line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    const auto error = [&](const std::string& problem) {
      return absl::InvalidArgumentError(absl::StrCat(file, ":", line_number, ": ", problem));
    };
    const absl::string_view code = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words =
        absl::StrSplit(code, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    int ends[2];
    if (words.size() != 2 || !absl::SimpleAtoi(words[0], &ends[0]) ||
        !absl::SimpleAtoi(words[1], &ends[1])) {
      return error(
          absl::StrCat("expected an edge, two worker numbers like \"0 1\", not ", Quoted(code)));
    }
    for (int end : ends) {
      if (end < 0 || end >= workers) {
        return error(
            absl::StrCat("worker ", end, " is out of range; the workers are 0 to ", workers - 1));
      }
    }
    if (ends[0] == ends[1]) {
      return error(absl::StrCat("an edge from worker ", ends[0],
                                " to itself; own weights need no edge, leave it out"));
    }
    AddEdge(ends[0], ends[1], &edges);
  }
  if (edges.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": no edges; expected one per line, two worker numbers like \"0 1\""));
  }
  return edges;
}

}  // namespace starling
