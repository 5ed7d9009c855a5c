// Figures and tables for papers.
#ifndef EXPERIMENTS_REPORT_FIGURES_H_
#define EXPERIMENTS_REPORT_FIGURES_H_

#include <string>
#include <vector>

#include "experiments/report/analysis.h"
#include "experiments/report/report.h"

namespace starling {

// A file to write.
struct NamedText {
  std::string name, text;
};

// <metric>_over_<steps|seconds|megabytes>.svg for the curves of the best combinations, ranking.svg
// for the scores, each with its .csv, and results.tex.
std::vector<NamedText> Figures(const ReportInput& input, const Analysis& analysis);

// A booktabs table. The best mean is bold if it is distinguishable from every other one.
std::string ResultsTex(const ReportInput& input, const Analysis& analysis);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_FIGURES_H_
