#include "core/config/text.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/config/text_builder.h"
#include "core/config/text_tree.h"
#include "core/status.h"
#include "google/protobuf/text_format.h"

namespace starling {
namespace {

std::string Place(absl::string_view file, TextPosition position) {
  return absl::StrCat(file, ":", position.line, ":", position.column);
}

absl::Status Mistakes(std::vector<TextProblem> problems, absl::string_view file) {
  // A plug-in's name is checked after what stands behind it; readers go from top to bottom.
  std::stable_sort(problems.begin(), problems.end(),
                   [](const TextProblem& a, const TextProblem& b) {
                     return std::tie(a.position.line, a.position.column) <
                            std::tie(b.position.line, b.position.column);
                   });
  std::vector<std::string> lines;
  for (const TextProblem& problem : problems) {
    lines.push_back(absl::StrCat(Place(file, problem.position), ": ", problem.message));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

absl::Status ReadError(const std::string& path, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error),
                      absl::StrCat("cannot read ", path, ": ", std::strerror(error)));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) return ReadError(path, errno);
  std::string text;
  char chunk[1 << 16];
  while (const size_t bytes = std::fread(chunk, 1, sizeof(chunk), file.get())) {
    text.append(chunk, bytes);
  }
  if (std::ferror(file.get())) return ReadError(path, errno);
  return text;
}

}  // namespace

absl::Status ParseText(absl::string_view text, absl::string_view file,
                       google::protobuf::Message* message, TextLocations* locations) {
  message->Clear();
  if (locations != nullptr) locations->Record("", std::string(file));
  TextValue root;
  TextProblem syntax_problem;
  if (!ParseTextTree(text, &root, &syntax_problem)) return Mistakes({syntax_problem}, file);
  TextBuilder builder([&](const std::string& path, TextPosition position) {
    if (locations != nullptr) locations->Record(path, Place(file, position));
  });
  builder.FillMessage(root, "", message);
  if (!builder.problems().empty()) return Mistakes(builder.problems(), file);
  return absl::OkStatus();
}

absl::Status LoadText(const std::string& path, google::protobuf::Message* message,
                      TextLocations* locations) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseText(text, path, message, locations);
}

std::string PrintText(const google::protobuf::Message& message) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetExpandAny(true);
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  CHECK(printer.PrintToString(message, &text));
  return text;
}

}  // namespace starling
