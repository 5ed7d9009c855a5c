// Mistakes in a config, and the places where its values come from, so that a value which turns
// out to be wrong long after parsing is still reported with its file:line:column.
#ifndef CORE_CONFIG_PROBLEM_H_
#define CORE_CONFIG_PROBLEM_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace starling {

// One mistake.
struct Problem {
  std::string path;     // of the field: "train.epochs", "arm[1].name", "optimizer.config.lr"
  std::string message;  // a full sentence: "train.epochs is -1; it must be at least 0"
};

// From where each value of a config comes: "quick.textproto:5:3", "--set train.epochs=-1".
class TextLocations {
 public:
  // Says that the value at `path`, with all beneath it, comes from `origin`. The path "" is the
  // whole config.
  void Record(absl::string_view path, std::string origin);

  // The origin of `path` or of the nearest enclosing path that has one; may be empty.
  std::string Find(absl::string_view path) const;

  // The origins of what lies in the message at `path`, by their paths there.
  TextLocations Below(absl::string_view path) const;

 private:
  std::map<std::string, std::string> origins_;
};

// Returns OK without problems, else INVALID_ARGUMENT with a line for each, its origin in front.
absl::Status ProblemsStatus(const std::vector<Problem>& problems,
                            const TextLocations& locations = {});

}  // namespace starling

#endif  // CORE_CONFIG_PROBLEM_H_
