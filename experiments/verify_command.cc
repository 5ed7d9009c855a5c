#include "experiments/verify_command.h"

#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace starling {

const Verb& VerifyVerb() {
  static const Verb* verb = new Verb{"verify",
                                     "verify --config=FILE [--set PATH=VALUE]...",
                                     "check that a training cannot hang; train nothing",
                                     {"config", "set"}};
  return *verb;
}

int VerifyCommand(const Arguments& arguments, const BuiltInConfig& built_in) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(
        absl::StrCat("verify takes no \"", arguments.words[0], "\"; the config is --config=FILE")));
  }
  const auto prepared = Prepare(arguments, built_in);
  if (!prepared.ok()) return Complain(prepared.status());
  for (const Job& job : prepared->jobs) {
    std::printf("%s%s\n%s", job.config.name().c_str(),
                job.name.empty() ? "" : absl::StrCat(", arm ", job.name).c_str(),
                job.verified.c_str());
  }
  return 0;
}

}  // namespace starling
