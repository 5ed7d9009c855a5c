// Which source this binary was built from, stamped into it by Bazel. Link it into programs only,
// not into libraries: whatever contains it is linked again after each commit.
#ifndef CORE_RUN_BUILD_STAMP_H_
#define CORE_RUN_BUILD_STAMP_H_

#include <string>

namespace starling {

// The commit of the workspace that was built; empty if that is in no git repository.
std::string BuildCommit();

// Whether the workspace held changes that are in no commit; false if it is in no repository.
bool BuildIsDirty();

// Those changes, as `git apply` takes them, with the source as it was when this program was linked;
// in place of what is too large, a line that begins with # and says so. Empty: none, or not known.
std::string BuildPatch();

}  // namespace starling

#endif  // CORE_RUN_BUILD_STAMP_H_
