// A cache of prepared data: files that a data set makes once from its sources, such as tokens, and
// then finds again.
//
// The cache is the directory $XDG_CACHE_HOME/starling, or ~/.cache/starling, or, where neither can
// be written, `starling-<user id>` in the system's directory for temporary files. An entry is a
// directory `<kind>-<fingerprint of its key>` that holds the prepared files and `MANIFEST`: the
// key, and name, size and checksum of each file. Entries may be deleted at any time between runs.
#ifndef DATA_PREPARED_H_
#define DATA_PREPARED_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

// Returns the directory with the files for `key`. If there is none, or one that was damaged,
// `make` is called with an empty directory to fill; the entry then appears under its name as a
// whole, so that several processes may ask for it at once (each may prepare it; one entry stays).
//
// `kind`: the data set's name. `key`: everything that the files depend on: a version of the
// preparation, its options, digests of its sources. Errors: those of `make`, and of a disk that
// refuses, with the path.
absl::StatusOr<std::string> PreparedDirectory(
    absl::string_view kind, absl::string_view key,
    const std::function<absl::Status(const std::string& directory)>& make);

}  // namespace starling

#endif  // DATA_PREPARED_H_
