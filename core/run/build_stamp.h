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

}  // namespace starling

#endif  // CORE_RUN_BUILD_STAMP_H_
