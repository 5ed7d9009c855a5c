// Compiled anew whenever a program is linked, with what workspace_status.sh has printed just then;
// a `linkstamp` includes no header but the one that Bazel makes of that.
extern const char kStarlingBuildPatch[];
const char kStarlingBuildPatch[] = BUILD_SCM_STATUS;
