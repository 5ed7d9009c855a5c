#include "core/run/host.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/device/device.h"
#include "core/run/file_io.h"
#include "glog/logging.h"

namespace starling {
namespace {

// What each level adds to the one before: System V psABI for x86-64, table "Micro-Architecture
// Levels", in the spelling of /proc/cpuinfo (pni is SSE3, abm is LZCNT).
std::string LevelOf(const std::set<std::string>& flags) {
  static const auto* const kLevels = new std::vector<std::pair<std::string, std::set<std::string>>>{
      {"x86-64", {"cmov", "cx8", "fpu", "fxsr", "lm", "mmx", "sse", "sse2", "syscall"}},
      {"x86-64-v2", {"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"}},
      {"x86-64-v3", {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}},
      {"x86-64-v4", {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}}};
  std::string level;
  for (const auto& [name, added] : *kLevels) {
    if (!std::includes(flags.begin(), flags.end(), added.begin(), added.end())) break;
    level = name;
  }
  return level;
}

std::string FileOrNothing(const std::string& path) { return ReadFile(path).value_or(""); }

utsname Uname() {
  utsname names;
  PCHECK(uname(&names) == 0);
  return names;
}

}  // namespace

CpuFacts ParseCpuInfo(absl::string_view text) {
  CpuFacts facts;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const absl::string_view key = absl::StripAsciiWhitespace(field.first);
    const absl::string_view value = absl::StripAsciiWhitespace(field.second);
    if (key == "model name" && facts.model.empty()) facts.model = std::string(value);
    if (key == "flags" && facts.level.empty()) {
      facts.level = LevelOf(absl::StrSplit(value, ' '));
    }
  }
  return facts;
}

std::string ParseOsRelease(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, "PRETTY_NAME=")) continue;
    absl::ConsumePrefix(&line, "\"");
    absl::ConsumeSuffix(&line, "\"");
    return std::string(line);
  }
  return "";
}

std::string HostName() { return Uname().nodename; }

HostFacts ThisHost() {
  HostFacts host;
  const utsname names = Uname();
  host.name = names.nodename;
  host.kernel = absl::StrCat(names.sysname, " ", names.release, " ", names.machine);
  host.os = ParseOsRelease(FileOrNothing("/etc/os-release"));
  host.cpu = ParseCpuInfo(FileOrNothing("/proc/cpuinfo"));
  host.cores = std::max<int>(0, sysconf(_SC_NPROCESSORS_ONLN));
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof(usable), &usable) == 0) host.usable_cores = CPU_COUNT(&usable);
  host.memory_bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  if (const Device* device = LinkedDevice()) host.gpu = device->Description();
  return host;
}

}  // namespace starling
