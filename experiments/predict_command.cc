#include "experiments/predict_command.h"

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/predict.h"
#include "experiments/predict_input.h"
#include "experiments/predict_text.h"
#include "experiments/sweep_map.h"
#include "gflags/gflags.h"

DECLARE_bool(json);
DEFINE_string(
    sweep, "",
    "report: the directory of a sweep; predict: a map of who is fastest where, nodes=2:64 "
    "nic_gbps=1:400 jitter=0:0.3; FROM:TO, FROM:TO:POINTS or A,B,C of any figure of a "
    "cluster, compute_ms or model_mb");
DEFINE_string(csv, "", "with --sweep: a file to write the points to");
DEFINE_string(svg, "", "with --sweep: a file to draw the map into");

namespace starling {
namespace {

absl::Status SweepAndPrint(const PredictionInput& input, std::vector<std::string> words) {
  words.insert(words.begin(), FLAGS_sweep);
  ASSIGN_OR_RETURN(const std::vector<SweepAxis> axes, ParseAxes(words));
  ASSIGN_OR_RETURN(const CrossoverMap map, Sweep(input, axes));
  if (!FLAGS_csv.empty()) RETURN_IF_ERROR(WriteFileAtomically(UserPath(FLAGS_csv), SweepCsv(map)));
  if (!FLAGS_svg.empty()) RETURN_IF_ERROR(WriteFileAtomically(UserPath(FLAGS_svg), SweepSvg(map)));
  std::printf("%s", (FLAGS_json ? SweepJson(map) : SweepText(map)).c_str());
  return absl::OkStatus();
}

absl::Status Predict(const Arguments& arguments, const BuiltInConfig& built_in) {
  if (FLAGS_sweep.empty() && !arguments.words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("predict takes no \"", arguments.words[0],
                                                   "\"; axes of a map follow --sweep"));
  }
  if (FLAGS_sweep.empty() && !(FLAGS_csv.empty() && FLAGS_svg.empty())) {
    return absl::InvalidArgumentError("--csv and --svg write the map of a --sweep");
  }
  ASSIGN_OR_RETURN(const PredictionInput input, ReadPredictionInput(arguments, built_in));
  if (!FLAGS_sweep.empty()) return SweepAndPrint(input, arguments.words);
  const Candidates candidates = AllCandidates(input);
  ASSIGN_OR_RETURN(
      const PredictionTable table,
      PredictAll(input, candidates.legal, OptionsFor(input.workers, input.config.seed())));
  std::printf(
      "%s", (FLAGS_json ? PredictionJson(table) : PredictionText(input, table, candidates.left_out))
                .c_str());
  return absl::OkStatus();
}

}  // namespace

const Verb& PredictVerb() {
  static const Verb* verb = [] {
    auto* made = new Verb{"predict", "predict --cluster=NAME_OR_FILE [--config=FILE] [flags]",
                          "predict step times on a cluster; run nothing", PredictionFlags()};
    made->flags.insert(made->flags.end(), {"sweep", "csv", "svg", "json"});
    return made;
  }();
  return *verb;
}

int PredictCommand(const Arguments& arguments, const BuiltInConfig& built_in) {
  absl::Status predicted = Predict(arguments, built_in);
  if (predicted.ok()) return 0;
  // A name that nothing has is a mistake of the user's.
  if (predicted.code() == absl::StatusCode::kNotFound) {
    predicted = absl::InvalidArgumentError(predicted.message());
  }
  return Complain(predicted);
}

}  // namespace starling
