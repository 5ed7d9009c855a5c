#include "experiments/advise_command.h"

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/status.h"
#include "experiments/advise.h"
#include "experiments/predict_input.h"
#include "gflags/gflags.h"

DECLARE_bool(json);
DEFINE_int64(target_steps, 10000, "steps in which All-Reduce reaches the target");

namespace starling {
namespace {

absl::Status AdviseAndPrint(const Arguments& arguments, const BuiltInConfig& built_in) {
  if (!arguments.words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("advise takes no \"", arguments.words[0],
                                                   "\"; the cluster is --cluster=NAME_OR_FILE"));
  }
  if (FLAGS_target_steps < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--target_steps=", FLAGS_target_steps, ": at least 1"));
  }
  const double steps = static_cast<double>(FLAGS_target_steps);
  ASSIGN_OR_RETURN(const PredictionInput input, ReadPredictionInput(arguments, built_in));
  ASSIGN_OR_RETURN(const std::vector<Advice> advice, Advise(input, steps));
  std::printf("%s", (FLAGS_json ? AdviceJson(advice) : AdviceText(input, steps, advice)).c_str());
  return absl::OkStatus();
}

}  // namespace

const Verb& AdviseVerb() {
  static const Verb* verb = [] {
    auto* made = new Verb{"advise", "advise --cluster=NAME_OR_FILE [--workers=N] [flags]",
                          "which topology to take on a cluster, and why", PredictionFlags()};
    made->flags.insert(made->flags.end(), {"target_steps", "json"});
    return made;
  }();
  return *verb;
}

int AdviseCommand(const Arguments& arguments, const BuiltInConfig& built_in) {
  absl::Status advised = AdviseAndPrint(arguments, built_in);
  if (advised.ok()) return 0;
  // A name that nothing has is a mistake of the user's.
  if (advised.code() == absl::StatusCode::kNotFound) {
    advised = absl::InvalidArgumentError(advised.message());
  }
  return Complain(advised);
}

}  // namespace starling
