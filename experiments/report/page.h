// The page: template, style and scripts from page/, Chart.js, and the data as one JSON element.
#ifndef EXPERIMENTS_REPORT_PAGE_H_
#define EXPERIMENTS_REPORT_PAGE_H_

#include <string>

#include "experiments/report/analysis.h"
#include "experiments/report/report.h"

namespace starling {

// One HTML document that needs nothing else.
std::string PageHtml(const ReportInput& input, const Analysis& analysis);

// What the page's scripts read (page/base.js says how), with every "<" escaped, so that no text of
// a user ends the element that it stands in.
std::string PageJson(const ReportInput& input, const Analysis& analysis);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_PAGE_H_
