#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/metrics.h"
#include "core/run/test_files.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr char kHeader[] = "step,epoch,worker,wall_s,name,value\n";

class CsvTest : public ::testing::Test {
 protected:
  // What the file holds after these records.
  std::string Written(const std::vector<MetricRecord>& records, const std::string& position = "") {
    PluginRef ref;
    ref.set_name("csv");
    auto sink = Registry<MetricSink>::Global().Create(ref, {directory_, position});
    CHECK_OK(sink);
    for (const MetricRecord& record : records) CHECK_OK((*sink)->Record(record));
    return *ReadFile(directory_ + "/metrics.csv");
  }

  const std::string directory_ = NewDirectory();
};

MetricRecord World(int64_t step, std::vector<std::pair<std::string, double>> values) {
  MetricRecord record;
  record.step = step;
  record.epoch = 0.5;
  record.wall_seconds = 1.25;
  record.values = std::move(values);
  return record;
}

TEST_F(CsvTest, OneRowPerValueWhateverItsName) {
  EXPECT_EQ(Written({World(1, {{"train/loss", 0.1}, {"train/lr", 1e-20}}),
                     World(2, {{"eval/accuracy", 1}})}),
            std::string(kHeader) +
                "1,0.5,-1,1.25,train/loss,0.1\n"
                "1,0.5,-1,1.25,train/lr,1e-20\n"
                "2,0.5,-1,1.25,eval/accuracy,1\n");
}

TEST_F(CsvTest, QuotesWhatNeedsIt) {
  EXPECT_EQ(
      Written({World(1, {{"a,b", 1}, {"say \"so\"", 2}, {"two\nlines", 3}, {"plain text", 4}})}),
      std::string(kHeader) +
          "1,0.5,-1,1.25,\"a,b\",1\n"
          "1,0.5,-1,1.25,\"say \"\"so\"\"\",2\n"
          "1,0.5,-1,1.25,\"two\nlines\",3\n"
          "1,0.5,-1,1.25,plain text,4\n");
}

TEST_F(CsvTest, NanAndInfinityHaveWords) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Written({World(1, {{"a", nan}, {"b", -nan}, {"c", infinity}, {"d", -infinity}})}),
            std::string(kHeader) +
                "1,0.5,-1,1.25,a,nan\n"
                "1,0.5,-1,1.25,b,nan\n"
                "1,0.5,-1,1.25,c,inf\n"
                "1,0.5,-1,1.25,d,-inf\n");
}

TEST_F(CsvTest, NumbersComeBackAsTheyWere) {
  for (const double value : {1.0 / 3, 4.9e-324, 1.7976931348623157e308, 123456789.125}) {
    const std::string contents = Written({World(1, {{"x", value}})});
    // Not std::stod, which throws on numbers as small as these.
    EXPECT_EQ(std::strtod(contents.c_str() + contents.rfind(',') + 1, nullptr), value);
  }
}

TEST_F(CsvTest, AResumedRunHasOneHeader) {
  const std::string first = Written({World(1, {{"x", 1}})});
  EXPECT_EQ(Written({World(2, {{"x", 2}})}, absl::StrCat(first.size())),
            std::string(kHeader) + "1,0.5,-1,1.25,x,1\n2,0.5,-1,1.25,x,2\n");
}

}  // namespace
}  // namespace starling
