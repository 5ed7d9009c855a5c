#include "data/data_directory.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/run/run_directory.h"

namespace starling {
namespace {

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

absl::StatusOr<std::string> FindDataDirectory(absl::string_view dataset,
                                              const std::string& configured,
                                              const UsualPlaces& places) {
  if (!configured.empty()) {
    const std::string directory = UserPath(configured);
    if (Exists(directory)) return directory;
    return absl::NotFoundError(absl::StrCat("dataset \"", dataset, "\": the directory ", directory,
                                            " (dataset.config.dir) does not exist; ",
                                            places.instead));
  }
  std::vector<std::string> candidates;
  const char* data = std::getenv("STARLING_DATA");
  const bool has_data = data != nullptr && *data != '\0';
  for (const std::string& name : places.names) {
    candidates.push_back(absl::StrCat(has_data ? data : "$STARLING_DATA", "/", name));
  }
  if (!places.elsewhere.empty()) candidates.push_back(places.elsewhere);
  for (const std::string& candidate : candidates) {
    if (Exists(candidate)) return candidate;
  }
  return absl::NotFoundError(absl::StrCat("dataset \"", dataset,
                                          "\": its files were not found; looked for the directory ",
                                          absl::StrJoin(candidates, ", "), "; ", places.instead,
                                          ", or name a directory with dataset.config.dir"));
}

}  // namespace starling
