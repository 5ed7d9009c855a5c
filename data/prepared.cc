#include "data/prepared.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/run/file_io.h"
#include "core/run/mapped_file.h"
#include "core/state.h"
#include "core/status.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr char kManifest[] = "MANIFEST";

// Makes `directory`; whether files can be made in it.
bool MayWrite(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  return access(directory.c_str(), W_OK | X_OK) == 0;
}

std::string CacheDirectory() {
  std::vector<std::string> candidates;
  if (const char* cache = getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    candidates.push_back(absl::StrCat(cache, "/starling"));
  }
  if (const char* home = getenv("HOME"); home != nullptr && *home == '/') {
    candidates.push_back(absl::StrCat(home, "/.cache/starling"));
  }
  for (const std::string& candidate : candidates) {
    if (MayWrite(candidate)) return candidate;
  }
  std::error_code ignored;
  const std::string temporary = fs::temp_directory_path(ignored).string();
  return absl::StrCat(temporary.empty() ? "/tmp" : temporary, "/starling-", getuid());
}

// What MANIFEST of these files says.
absl::StatusOr<std::string> ManifestOf(const std::string& directory, absl::string_view key) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name != kManifest) names.push_back(name);
  }
  if (error) return FileError(error.value(), "read", directory);
  std::sort(names.begin(), names.end());
  std::string manifest = absl::StrCat(key, "\n\n");
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const auto file, MappedFile::Open(absl::StrCat(directory, "/", name)));
    absl::StrAppendFormat(&manifest, "%s %d %016x\n", name, file->bytes().size(),
                          DigestBytes(file->bytes()));
  }
  return manifest;
}

bool IsWhole(const std::string& directory, absl::string_view key) {
  const auto written = ReadFile(absl::StrCat(directory, "/", kManifest));
  if (!written.ok()) return false;
  const auto found = ManifestOf(directory, key);
  return found.ok() && *found == *written;
}

}  // namespace

absl::StatusOr<std::string> PreparedDirectory(
    absl::string_view kind, absl::string_view key,
    const std::function<absl::Status(const std::string& directory)>& make) {
  const std::string cache = CacheDirectory();
  const std::string entry = absl::StrFormat("%s/%s-%016x", cache, kind, DigestBytes(key));
  if (IsWhole(entry, key)) return entry;

  std::error_code error;
  fs::create_directories(cache, error);
  if (error) return FileError(error.value(), "make the directory", cache);
  std::string work = absl::StrCat(cache, "/.", kind, "-XXXXXX");
  if (mkdtemp(work.data()) == nullptr) return FileError(errno, "make a directory in", cache);
  struct Removal {
    ~Removal() {
      std::error_code ignored;
      fs::remove_all(directory, ignored);
    }
    const std::string directory;
  } remove_work{work};

  const std::string fresh = absl::StrCat(work, "/fresh");
  fs::create_directory(fresh, error);
  if (error) return FileError(error.value(), "make the directory", fresh);
  RETURN_IF_ERROR(make(fresh));
  ASSIGN_OR_RETURN(const std::string manifest, ManifestOf(fresh, key));
  RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(fresh, "/", kManifest), manifest));

  // A directory cannot replace one that holds files. One that is there now is damaged, or another
  // process's who was faster.
  fs::rename(fresh, entry, error);
  if (!error || IsWhole(entry, key)) return entry;
  fs::rename(entry, absl::StrCat(work, "/damaged"), error);
  fs::rename(fresh, entry, error);
  if (!error || IsWhole(entry, key)) return entry;
  return FileError(error.value(), "rename the prepared data to", entry);
}

}  // namespace starling
