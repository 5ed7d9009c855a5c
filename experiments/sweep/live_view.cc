#include "experiments/sweep/live_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace starling {
namespace {

// A line that wraps could not be overwritten.
constexpr size_t kColumns = 79;
constexpr size_t kMostRuns = 8;

}  // namespace

std::string DurationText(double seconds) {
  if (seconds < 90) return absl::StrFormat("%.0f s", seconds);
  if (seconds < 5400) return absl::StrFormat("%.0f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

std::string ProgressText(const SweepProgress& progress) {
  const int left = progress.total - progress.done - progress.running - progress.failed;
  std::string text = absl::StrCat(progress.done, "/", progress.total, " done, ", progress.running,
                                  " running, ", progress.failed, " failed, ", left, " left");
  if (progress.seconds_left && left + progress.running > 0) {
    absl::StrAppend(&text, "; about ", DurationText(*progress.seconds_left), " left");
  }
  return text;
}

void LiveView::Show(const SweepProgress& progress) {
  if (!live_) return;
  std::vector<std::string> lines = {ProgressText(progress)};
  if (!progress.best.empty()) lines.push_back("best so far: " + progress.best);
  for (size_t i = 0; i < std::min(progress.runs.size(), kMostRuns); ++i) {
    lines.push_back("  " + progress.runs[i]);
  }
  if (progress.runs.size() > kMostRuns) {
    lines.push_back(absl::StrCat("  and ", progress.runs.size() - kMostRuns, " more"));
  }
  Clear();
  for (std::string& line : lines) {
    if (line.size() > kColumns) line.resize(kColumns);
    std::fprintf(out_, "%s\n", line.c_str());
  }
  std::fflush(out_);
  lines_ = static_cast<int>(lines.size());
}

void LiveView::Line(const std::string& text) {
  Clear();
  std::fprintf(out_, "%s\n", text.c_str());
  std::fflush(out_);
}

void LiveView::Clear() {
  if (lines_ > 0) std::fprintf(out_, "\033[%dA\033[J", lines_);
  lines_ = 0;
}

}  // namespace starling
