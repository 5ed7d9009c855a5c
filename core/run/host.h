// The machine that a run happened on, for its manifest.
#ifndef CORE_RUN_HOST_H_
#define CORE_RUN_HOST_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace starling {

// Empty or 0: unknown.
struct CpuFacts {
  std::string model;  // "AMD EPYC 7763 64-Core Processor"
  // The highest level of the x86-64 psABI that the processor has in full: "x86-64", "x86-64-v2",
  // "x86-64-v3" (AVX2) or "x86-64-v4" (AVX-512). Empty for other architectures.
  std::string level;
};

struct HostFacts {
  std::string name;
  std::string os;      // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;  // "Linux 6.1.0-18-amd64 x86_64"
  CpuFacts cpu;
  int cores = 0;         // hardware threads that are online
  int usable_cores = 0;  // those that this process may run on
  int64_t memory_bytes = 0;
  std::string gpu;  // those that this program could use, with driver and runtime, a line each
};

// Reads text in the form of Linux's /proc/cpuinfo; the first processor speaks for all.
CpuFacts ParseCpuInfo(absl::string_view text);

// Reads text in the form of /etc/os-release; returns the name for people, or "".
std::string ParseOsRelease(absl::string_view text);

std::string HostName();
HostFacts ThisHost();

}  // namespace starling

#endif  // CORE_RUN_HOST_H_
