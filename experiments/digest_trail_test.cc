#include "experiments/digest_trail.h"

#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

const TensorDigests kOne = {{"parameters/w", 1}, {"parameters/b", 0xffffffffffffffff}};

class DigestTrailTest : public ::testing::Test {
 protected:
  std::unique_ptr<DigestTrailWriter> Writer(const std::string& position = "") {
    auto writer = DigestTrailWriter::Open(path_, position);
    CHECK_OK(writer);
    return *std::move(writer);
  }

  DigestTrail Read() {
    auto trail = ReadDigestTrail(path_);
    CHECK_OK(trail);
    return *std::move(trail);
  }

  const std::string path_ = NewDirectory() + "/digests.jsonl";
};

TEST_F(DigestTrailTest, ComesBackAndNamesTensorsOnce) {
  auto writer = Writer();
  for (const int64_t step : {1, 2}) {
    for (const int worker : {0, 1}) CHECK_OK(writer->Record(step, worker, kOne));
  }
  CHECK_OK(writer->Record(3, 0, {{"parameters/w", 2}, {"algorithm/from_1", 7}}));
  CHECK_OK(writer->Flush());
  const std::string text = *ReadFile(path_);
  EXPECT_THAT(text, HasSubstr("\"tensors\":[\"parameters/w\",\"parameters/b\"]}\n{\"step\":1,"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2 + 5);
  const DigestTrail trail = Read();
  ASSERT_EQ(trail.steps.size(), 3u);
  const DigestTrail::State& state = trail.steps.at(2).at(1);
  EXPECT_EQ(*state.tensors, (std::vector<std::string>{"parameters/w", "parameters/b"}));
  EXPECT_EQ(state.digests, (std::vector<uint64_t>{1, 0xffffffffffffffff}));
  EXPECT_EQ(trail.steps.at(3).at(0).digests, (std::vector<uint64_t>{2, 7}));
}

TEST_F(DigestTrailTest, GoesOnWhereItWas) {
  auto writer = Writer();
  CHECK_OK(writer->Record(1, 0, kOne));
  const std::string position = writer->position();
  CHECK_OK(writer->Record(2, 0, kOne));
  writer = Writer(position);
  CHECK_OK(writer->Record(2, 0, {{"parameters/w", 5}, {"parameters/b", 6}}));
  EXPECT_EQ(Read().steps.at(2).at(0).digests, (std::vector<uint64_t>{5, 6}));
}

TEST_F(DigestTrailTest, SaysWhichLineIsDamaged) {
  const std::string names = "{\"names\":\"1\",\"tensors\":[\"a\"]}\n";
  for (const auto& [lines, what] : std::vector<std::pair<std::string, std::string>>{
           {"{\"step\":1", "parse error"},
           {"{\"step\":1,\"worker\":0,\"names\":\"2\",\"digests\":\"\"}", "no line before it has"},
           {"{\"step\":1,\"worker\":0,\"names\":\"1\",\"digests\":\"12\"}", "are cut"},
           {"{\"step\":1,\"worker\":0,\"names\":\"1\",\"digests\":\"x123456789012345\"}",
            "not hexadecimal"}}) {
    CHECK_OK(WriteFileAtomically(path_, names + lines));
    const absl::Status status = ReadDigestTrail(path_).status();
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("digests.jsonl:2: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }
  EXPECT_TRUE(absl::IsNotFound(ReadDigestTrail("/nowhere/digests.jsonl").status()));
}

DigestTrail TrailOf(int64_t steps, int workers) {
  const auto tensors = std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{"parameters/z", "parameters/a"});
  DigestTrail trail;
  for (int64_t step = 1; step <= steps; ++step) {
    for (int worker = 0; worker < workers; ++worker) {
      trail.steps[step][worker] = {tensors, {static_cast<uint64_t>(step), 2}};
    }
  }
  return trail;
}

TEST(CompareTest, EqualTrailsAreEqual) {
  const TrailComparison comparison = Compare(TrailOf(9, 2), TrailOf(7, 2));
  EXPECT_FALSE(comparison.difference.has_value());
  EXPECT_EQ(comparison.steps, 7);
}

TEST(CompareTest, FindsStepWorkerAndTensor) {
  const DigestTrail a = TrailOf(9, 4);
  DigestTrail b = a;
  b.steps[5][2].digests[1] ^= 1;
  for (int worker : {0, 1, 2, 3}) b.steps[6][worker].digests[0] = 77;
  b.steps.erase(4);
  const auto difference = Compare(a, b).difference;
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(difference->step, 5);
  EXPECT_EQ(difference->equal_step, 3);
  EXPECT_EQ(difference->worker, 2);
  EXPECT_EQ(difference->tensor, "parameters/a");
  EXPECT_EQ(difference->differing_workers, 1);
  EXPECT_EQ(difference->workers, 4);
  EXPECT_EQ(difference->differing_tensors, 1);
  EXPECT_EQ(difference->tensors, 8);

  EXPECT_EQ(Compare(a, b, 6).difference->differing_workers, 4);
  EXPECT_EQ(Compare(a, b, 6).difference->equal_step, 0);
  EXPECT_FALSE(Compare(a, b, 0, 4).difference.has_value());
}

TEST(CompareTest, WhatOnlyOneHasDiffers) {
  const DigestTrail a = TrailOf(2, 2);
  EXPECT_EQ(Compare(a, TrailOf(2, 3)).difference->worker, 2);
  EXPECT_EQ(Compare(TrailOf(2, 3), a).difference->worker, 2);
  DigestTrail b = a;
  b.steps[1][1].tensors = std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{"parameters/z", "parameters/other"});
  const auto difference = Compare(a, b).difference;
  EXPECT_EQ(difference->worker, 1);
  EXPECT_EQ(difference->tensor, "parameters/a");
  EXPECT_EQ(difference->differing_tensors, 2);
}

}  // namespace
}  // namespace starling
