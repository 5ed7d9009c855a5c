// `starling report`: a run or a sweep as a page for the browser, and as figures for a paper.
#ifndef EXPERIMENTS_REPORT_REPORT_COMMAND_H_
#define EXPERIMENTS_REPORT_REPORT_COMMAND_H_

#include "experiments/flags.h"

namespace starling {

const Verb& ReportVerb();

// Writes report.html and figures/ into the directory that --run or --sweep names. Returns the exit
// code.
int ReportCommand(const Arguments& arguments);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_REPORT_COMMAND_H_
