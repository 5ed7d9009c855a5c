#include "core/run/host.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr char kV1[] = "fpu cx8 cmov mmx fxsr sse sse2 syscall lm";
constexpr char kV2[] = "pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm";
constexpr char kV3[] = "fma movbe xsave avx f16c abm bmi1 avx2 bmi2";
constexpr char kV4[] = "avx512f avx512dq avx512cd avx512bw avx512vl";

CpuFacts WithFlags(const std::string& flags) {
  return ParseCpuInfo(
      absl::StrCat("processor\t: 0\nmodel name\t: Some CPU @ 2.0 GHz: new\nflags\t\t: ", flags,
                   "\n\nprocessor\t: 1\nmodel name\t: Other\nflags\t\t: lm\n"));
}

TEST(HostTest, CpuLevelIsTheHighestThatIsWhole) {
  EXPECT_EQ(WithFlags("fpu vme").level, "");
  EXPECT_EQ(WithFlags(kV1).level, "x86-64");
  EXPECT_EQ(WithFlags(absl::StrCat(kV1, " ", kV2)).level, "x86-64-v2");
  EXPECT_EQ(WithFlags(absl::StrCat(kV1, " ", kV2, " ", kV3)).level, "x86-64-v3");
  EXPECT_EQ(WithFlags(absl::StrCat(kV1, " ", kV2, " ", kV3, " ", kV4)).level, "x86-64-v4");
  EXPECT_EQ(WithFlags(absl::StrCat(kV1, " ", kV2, " ", kV4)).level, "x86-64-v2");
}

TEST(HostTest, FirstProcessorSpeaksForAll) {
  EXPECT_EQ(WithFlags(kV1).model, "Some CPU @ 2.0 GHz: new");
}

TEST(HostTest, OtherArchitecturesHaveNoLevel) {
  const CpuFacts facts = ParseCpuInfo("processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n");
  EXPECT_EQ(facts.model, "");
  EXPECT_EQ(facts.level, "");
}

TEST(HostTest, OsNameLosesItsQuotes) {
  EXPECT_EQ(ParseOsRelease("NAME=\"D\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian"),
            "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(ParseOsRelease("PRETTY_NAME=Plain\n"), "Plain");
  EXPECT_EQ(ParseOsRelease(""), "");
}

TEST(HostTest, ThisHostIsKnown) {
  const HostFacts host = ThisHost();
  EXPECT_EQ(host.name, HostName());
  EXPECT_NE(host.kernel, "");
  EXPECT_GE(host.cores, 1);
  EXPECT_GE(host.usable_cores, 1);
  EXPECT_GT(host.memory_bytes, 1 << 20);
}

}  // namespace
}  // namespace starling
