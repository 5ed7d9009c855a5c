#include "experiments/report/report.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "experiments/report/analysis.h"
#include "experiments/report/figures.h"
#include "experiments/report/page.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

// An empty directory for figures: those of an earlier report may be of other metrics.
absl::Status Renew(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return FileError(error.value(), "create", directory);
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".svg" || extension == ".csv") fs::remove(entry.path(), error);
    if (error) return FileError(error.value(), "replace", entry.path().string());
  }
  if (error) return FileError(error.value(), "list", directory);
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteReport(const ReportInput& input, const std::string& directory) {
  ASSIGN_OR_RETURN(const Analysis analysis, Analyze(input));
  const std::string figures = absl::StrCat(directory, "/figures");
  RETURN_IF_ERROR(Renew(figures));
  for (const NamedText& figure : Figures(input, analysis)) {
    RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(figures, "/", figure.name), figure.text, Until::kVisible));
  }
  return WriteFileAtomically(absl::StrCat(directory, "/report.html"), PageHtml(input, analysis));
}

}  // namespace starling
