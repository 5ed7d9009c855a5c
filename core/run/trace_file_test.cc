#include "core/run/trace_file.h"

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using ::testing::HasSubstr;

std::string TestPath(const std::string& name) {
  return absl::StrCat(std::getenv("TEST_TMPDIR"), "/", name);
}

nlohmann::json Parsed(const std::string& path) {
  const auto text = ReadFile(path);
  CHECK_OK(text);
  return nlohmann::json::parse(*text);
}

TEST(TraceFile, IsValidAfterEveryCall) {
  const std::string path = TestPath("valid.json");
  auto file = TraceFile::Create(path, 1 << 20);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Parsed(path).size(), 1u);
  (*file)->Append("");
  (*file)->Append("{\"ph\":\"X\",\"name\":\"a\"},\n{\"ph\":\"X\",\"name\":\"b\"},\n");
  EXPECT_EQ(Parsed(path).size(), 3u);
  (*file)->Append("{\"ph\":\"X\",\"name\":\"c\"},\n");
  const auto events = Parsed(path);
  EXPECT_EQ(events.size(), 4u);
  EXPECT_EQ(events[3]["name"], "c");
}

TEST(TraceFile, StaysSmallAndSaysSo) {
  const std::string path = TestPath("full.json");
  auto file = TraceFile::Create(path, 1000);
  ASSERT_TRUE(file.ok()) << file.status();
  for (int i = 0; i < 100; ++i) (*file)->Append("{\"name\":\"some event of some length\"},\n");
  const auto events = Parsed(path);
  EXPECT_LE(ReadFile(path)->size(), 1000u);
  EXPECT_GT(events.size(), 10u);
  EXPECT_THAT(events.back()["name"], HasSubstr("full"));
}

TEST(TraceFile, NamesThePathThatCannotBeWritten) {
  const auto file = TraceFile::Create("/nonexistent/trace.json", 1000);
  EXPECT_THAT(file.status().ToString(), HasSubstr("/nonexistent/trace.json"));
}

}  // namespace
}  // namespace starling
