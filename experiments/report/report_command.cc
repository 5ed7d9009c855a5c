#include "experiments/report/report_command.h"

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/prepare.h"
#include "experiments/report/report.h"
#include "experiments/report/run_input.h"
#include "experiments/report/sweep_input.h"
#include "gflags/gflags.h"

DECLARE_string(sweep);
DEFINE_string(run, "", "the directory of a run, or of a run with arms");

namespace starling {
namespace {

absl::Status Report() {
  if (FLAGS_run.empty() == FLAGS_sweep.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        FLAGS_run.empty() ? "of what? report needs" : "--run and --sweep exclude each other: say",
        " --run=DIR or --sweep=DIR"));
  }
  const std::string directory = UserPath(FLAGS_run.empty() ? FLAGS_sweep : FLAGS_run);
  ASSIGN_OR_RETURN(const ReportInput input,
                   FLAGS_run.empty() ? ReadSweep(directory) : ReadRun(directory));
  RETURN_IF_ERROR(WriteReport(input, directory));
  std::printf("%s/report.html, and figures in %s/figures\n", directory.c_str(), directory.c_str());
  return absl::OkStatus();
}

}  // namespace

const Verb& ReportVerb() {
  static const Verb* verb = new Verb{"report",
                                     "report --run=DIR | --sweep=DIR",
                                     "show runs in a browser, with statistics and figures",
                                     {"run", "sweep"}};
  return *verb;
}

int ReportCommand(const Arguments& arguments) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(absl::StrCat(
        "report takes no \"", arguments.words[0], "\"; what to show is --run=DIR or --sweep=DIR")));
  }
  const absl::Status status = Report();
  return status.ok() ? 0 : Complain(status);
}

}  // namespace starling
