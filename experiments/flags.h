// Command lines of the form `starling VERB [words] --flag=value`, checked against what the verb
// knows before gflags sees them: gflags would keep only the last --set, show fifty flags of other
// libraries, and exit with 1 on an unknown one.
#ifndef EXPERIMENTS_FLAGS_H_
#define EXPERIMENTS_FLAGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

// What a verb accepts. Flags are gflags (DEFINE_...), named here; "set" stands for the repeatable
// --set path=value.
struct Verb {
  std::string name;
  std::string usage;    // "train --config=FILE [flags]"
  std::string summary;  // one line
  std::vector<std::string> flags;
  std::map<std::string, std::string> bare_values = {};  // of flags that may stand without one
};

struct Arguments {
  bool help = false;
  std::vector<std::string> words;  // what is no flag
  std::vector<std::string> set;    // values of --set, in order
};

// Parses what follows the verb. `-name`, `--name`, '-' and '_' alike; `--name=value`, `--name
// value` and, for booleans, `--name` and `--noname`. INVALID_ARGUMENT names the flag, the value
// and what would be right.
absl::StatusOr<Arguments> ParseArguments(const Verb& verb, const std::vector<std::string>& args);

// The flags of a verb with types, defaults and meanings, for --help; at most 80 columns.
std::string FlagsHelp(const Verb& verb);

}  // namespace starling

#endif  // EXPERIMENTS_FLAGS_H_
