#include "core/run/manifest.h"

#include <gnu/libc-version.h>

#include <cstdlib>
#include <filesystem>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "core/run/host.h"
#include "google/protobuf/stubs/common.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kCompiler[] =
#if defined(__clang__)
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

constexpr char kMode[] =
#ifdef NDEBUG
    "optimized";
#else
    "debug";
#endif

std::string IsoTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string WorkingDirectory() {
  if (const char* start = std::getenv("BUILD_WORKING_DIRECTORY")) return start;
  std::error_code error;  // "" for a directory that was removed meanwhile
  return std::filesystem::current_path(error).string();
}

Json Starling(const ManifestInputs& inputs) {
  if (inputs.commit.empty()) return {{"commit", nullptr}, {"dirty", nullptr}};
  return {{"commit", inputs.commit}, {"dirty", inputs.dirty}};
}

// Libraries without a version in their headers (glog, gflags) are left out.
std::map<std::string, std::string> Libraries(const std::map<std::string, std::string>& more) {
  std::map<std::string, std::string> versions = {
      {"abseil", absl::StrCat(ABSL_LTS_RELEASE_VERSION, ".", ABSL_LTS_RELEASE_PATCH_LEVEL)},
      {"glibc", gnu_get_libc_version()},
      {"nlohmann_json", absl::StrCat(NLOHMANN_JSON_VERSION_MAJOR, ".", NLOHMANN_JSON_VERSION_MINOR,
                                     ".", NLOHMANN_JSON_VERSION_PATCH)},
      {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
  };
  versions.insert(more.begin(), more.end());
  return versions;
}

Json Host(const HostFacts& host) {
  return {
      {"name", host.name},
      {"os", host.os},
      {"kernel", host.kernel},
      {"cpu_model", host.cpu.model},
      {"cpu_level", host.cpu.level},
      {"cores", host.cores},
      {"usable_cores", host.usable_cores},
      {"memory_bytes", host.memory_bytes},
      {"gpu", host.gpu},
  };
}

}  // namespace

std::string ManifestJson(const ManifestInputs& inputs) {
  Json json;
  json["starling"] = Starling(inputs);
  json["command_line"] = inputs.command_line;
  json["working_directory"] = WorkingDirectory();
  json["start_time"] = IsoTime(inputs.start);
  json["end_time"] = inputs.end.has_value() ? Json(IsoTime(*inputs.end)) : Json(nullptr);
  json["build"] = {{"compiler", kCompiler}, {"mode", kMode}};
  json["libraries"] = Libraries(inputs.libraries);
  json["plugins"] = inputs.plugins.empty() ? Json::object() : Json(inputs.plugins);
  json["host"] = Host(ThisHost());
  json["run"] = inputs.run.empty() ? Json::object() : Json(inputs.run);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace starling
