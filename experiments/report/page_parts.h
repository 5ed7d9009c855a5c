// The files that a page is made of, as text; page_parts.cc is made by the BUILD file.
#ifndef EXPERIMENTS_REPORT_PAGE_PARTS_H_
#define EXPERIMENTS_REPORT_PAGE_PARTS_H_

namespace starling {

extern const char kPageHtml[];  // with {{title}}, {{style}}, {{data}}, ... to be filled in
extern const char kPageStyle[];
extern const char kPageScript[];
extern const char kChartScript[];   // Chart.js
extern const char kChartLicence[];  // of Chart.js

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_PAGE_PARTS_H_
