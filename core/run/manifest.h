// The manifest of a run: what ran, built how, where and when. Times and host names stand here and
// nowhere else, so that the results of equal runs can be equal.
#ifndef CORE_RUN_MANIFEST_H_
#define CORE_RUN_MANIFEST_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace starling {

struct ManifestInputs {
  // BuildCommit() and BuildIsDirty() of build_stamp.h, which the program links. Empty: unknown.
  std::string commit;
  bool dirty = false;
  std::vector<std::string> command_line;
  absl::Time start;
  std::optional<absl::Time> end;  // unset while the run goes on
  // Versions of libraries that core does not know, by name ("libtorch").
  std::map<std::string, std::string> libraries;
  // Names of the plug-ins that the program links, by kind.
  std::map<std::string, std::vector<std::string>> plugins;
  // What else the reader must know to repeat the run ("partition_fingerprint", "cpu").
  std::map<std::string, std::string> run;
};

// Returns manifest.json:
//
//   starling {commit dirty}                     null where unknown
//   command_line [..]  working_directory        where the user stood, also under `bazel run`
//   start_time  end_time                        ISO 8601, UTC; end_time null while running
//   build {compiler mode}                       mode: "optimized" or "debug" (assertions on)
//   libraries {..}                              abseil, glibc, nlohmann_json, protobuf, inputs
//   plugins {..}                                inputs
//   host {name os kernel cpu_model cpu_level cores usable_cores memory_bytes gpu}  see host.h
//   run {..}                                    inputs
//
// Text that is no UTF-8 is written with U+FFFD in its place.
std::string ManifestJson(const ManifestInputs& inputs);

}  // namespace starling

#endif  // CORE_RUN_MANIFEST_H_
