#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "data/dataset_conformance.h"
#include "data/tokens/tokens.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::HasSubstr;

constexpr int64_t kTrain = 1003, kVal = 101, kContext = 10;

// Consecutive ids from `first` on.
void WriteIds(const std::string& path, int64_t first, int64_t count) {
  std::string bytes;
  for (int64_t id = first; id < first + count; ++id) {
    bytes += static_cast<char>(id & 255);
    bytes += static_cast<char>(id >> 8);
  }
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
}

// A directory in which every token is its own position, over all files.
std::string Directory(bool with_test = false) {
  const std::string directory = NewDirectory();
  WriteIds(directory + "/train.bin", 0, kTrain);
  WriteIds(directory + "/val.bin", kTrain, kVal);
  if (with_test) WriteIds(directory + "/test.bin", kTrain + kVal, 35);
  return directory;
}

TokensConfig Small(const std::string& directory) {
  TokensConfig config;
  config.set_dir(directory);
  config.set_context(kContext);
  config.set_vocabulary(2000);
  return config;
}

std::string ErrorOf(const TokensConfig& config, absl::StatusCode code) {
  const auto dataset = MakeDataset("tokens", config);
  EXPECT_EQ(dataset.status().code(), code) << dataset.status();
  return std::string(dataset.status().message());
}

// The first token of the example; expects the others, and the targets, to follow it.
int64_t Begin(const Dataset& dataset, Split split, int64_t example, uint64_t stream = 0) {
  Batch batch;
  EXPECT_TRUE(dataset.Read(split, {example}, stream, &batch).ok());
  const auto tokens = batch.fields[0].buffer().as<int64_t>();
  const auto targets = batch.fields[1].buffer().as<int64_t>();
  for (int64_t i = 0; i < kContext; ++i) {
    EXPECT_EQ(tokens[i], tokens[0] + i);
    EXPECT_EQ(targets[i], tokens[0] + i + 1);
  }
  return tokens[0];
}

std::vector<DatasetCase> Cases() {
  TokensConfig fixed = Small(Directory(/*with_test=*/true));
  fixed.set_random_offsets(false);
  return {{DatasetRef("tokens", Small(Directory()))}, {DatasetRef("tokens", fixed)}};
}

INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance, testing::ValuesIn(Cases()),
                         [](const auto& info) { return absl::StrCat("Case", info.index); });

TEST(TokensTest, WindowsLieSideBySideAndValIsHalved) {
  TokensConfig config = Small(Directory());
  config.set_random_offsets(false);
  const auto dataset = MakeDataset("tokens", config).value();
  EXPECT_EQ(dataset->spec().vocabulary, 2000);
  EXPECT_EQ(dataset->spec().classes, 0);
  ASSERT_EQ(dataset->size(Split::kTrain), 100);     // 1,002 targets
  ASSERT_EQ(dataset->size(Split::kValidation), 4);  // of 50 tokens
  ASSERT_EQ(dataset->size(Split::kTest), 5);        // of 51
  for (int64_t i : {0, 1, 57, 99}) EXPECT_EQ(Begin(*dataset, Split::kTrain, i), i * kContext);
  for (int64_t i : {0, 3}) EXPECT_EQ(Begin(*dataset, Split::kValidation, i), kTrain + i * kContext);
  for (int64_t i : {0, 4}) EXPECT_EQ(Begin(*dataset, Split::kTest, i), kTrain + 50 + i * kContext);
}

TEST(TokensTest, TestFileIsTheTestSplit) {
  const auto dataset = MakeDataset("tokens", Small(Directory(/*with_test=*/true))).value();
  EXPECT_EQ(dataset->size(Split::kValidation), 10);
  EXPECT_EQ(dataset->size(Split::kTest), 3);
  EXPECT_EQ(Begin(*dataset, Split::kTest, 0), kTrain + kVal);
}

TEST(TokensTest, TrainingWindowsBeginAnywhere) {
  const auto dataset = MakeDataset("tokens", Small(Directory())).value();
  std::set<int64_t> begins, last;
  for (uint64_t stream = 0; stream < 200; ++stream) {
    begins.insert(Begin(*dataset, Split::kTrain, 7, stream));
    last.insert(Begin(*dataset, Split::kTrain, 99, stream));
    EXPECT_EQ(Begin(*dataset, Split::kValidation, 2, stream), kTrain + 20);
  }
  std::set<int64_t> expected;
  for (int64_t begin = 70; begin < 80; ++begin) expected.insert(begin);
  EXPECT_EQ(begins, expected);
  EXPECT_EQ(last, (std::set<int64_t>{990, 991, 992}));  // three tokens are left over
}

TEST(TokensTest, FingerprintIsThatOfTheExamples) {
  const auto a = MakeDataset("tokens", Small(Directory())).value(),
             b = MakeDataset("tokens", Small(Directory())).value();
  EXPECT_EQ(a->fingerprint(), b->fingerprint());
  TokensConfig config = Small(Directory());
  config.set_context(11);
  EXPECT_NE(MakeDataset("tokens", config).value()->fingerprint(), a->fingerprint());
  const std::string directory = Directory();
  WriteIds(directory + "/val.bin", kTrain + 1, kVal);
  EXPECT_NE(MakeDataset("tokens", Small(directory)).value()->fingerprint(), a->fingerprint());
}

TEST(TokensTest, LooksIntoStarlingData) {
  const std::string data = NewDirectory();
  std::filesystem::rename(Directory(), data + "/tokens");
  TokensConfig config = Small("");
  setenv("STARLING_DATA", data.c_str(), 1);
  EXPECT_TRUE(MakeDataset("tokens", config).ok());
  unsetenv("STARLING_DATA");
  EXPECT_EQ(ErrorOf(config, absl::StatusCode::kNotFound),
            "dataset \"tokens\": its files were not found; looked for the directory "
            "$STARLING_DATA/tokens. Name the one that holds train.bin and val.bin with "
            "dataset.config.dir");
}

TEST(TokensTest, NamesWhatIsWrongWithFiles) {
  const std::string directory = Directory();
  EXPECT_THAT(ErrorOf(Small("/nowhere"), absl::StatusCode::kNotFound),
              HasSubstr("dataset \"tokens\": the directory /nowhere (dataset.config.dir) does not "
                        "exist; it holds train.bin"));
  EXPECT_THAT(ErrorOf(Small(NewDirectory()), absl::StatusCode::kNotFound),
              HasSubstr("/train.bin: No such file"));
  TokensConfig config = Small(directory);
  config.set_context(kTrain);
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kInvalidArgument),
              HasSubstr("train.bin holds 1003 tokens; a window of context 1003 takes 1004"));
  ASSERT_TRUE(WriteFileAtomically(directory + "/val.bin", "odd").ok());
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kDataLoss),
              HasSubstr("val.bin has 3 bytes; token ids of two bytes make an even number"));
}

TEST(TokensTest, HoldsFilesToWhatIsExpectedOfThem) {
  TokensConfig config = Small(Directory());
  config.set_expected_train_tokens(kTrain);
  config.set_expected_val_tokens(kVal);
  EXPECT_TRUE(MakeDataset("tokens", config).value()->Available().ok());
  config.set_expected_val_tokens(kVal + 1);
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kDataLoss),
              HasSubstr("val.bin holds 101 tokens, but 102 are expected"));
}

// What a run needs to be planned is known; its files are not needed yet.
TEST(TokensTest, IsPlannedWithoutFilesWhereTheirSizesAreExpected) {
  TokensConfig config = Small("/nowhere");
  config.set_expected_train_tokens(kTrain);
  EXPECT_FALSE(MakeDataset("tokens", config).ok());
  config.set_expected_val_tokens(kVal);
  const auto planned = MakeDataset("tokens", config).value(),
             real = MakeDataset("tokens", Small(Directory())).value();
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    EXPECT_EQ(planned->size(split), real->size(split));
  }
  EXPECT_EQ(planned->spec().fields[0].shape, real->spec().fields[0].shape);
  EXPECT_EQ(planned->Available().code(), absl::StatusCode::kNotFound);
  Batch batch;
  EXPECT_EQ(planned->Read(Split::kTrain, {0}, 0, &batch), planned->Available());
}

TEST(TokensTest, NamesAnIdAboveTheVocabulary) {
  TokensConfig config = Small(Directory());
  config.set_vocabulary(kTrain + 10);
  const auto dataset = MakeDataset("tokens", config).value();
  Batch batch;
  EXPECT_TRUE(dataset->Read(Split::kTrain, {99}, 0, &batch).ok());
  const absl::Status status = dataset->Read(Split::kValidation, {0}, 0, &batch);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("val.bin: token 10 is 1013; ids are below the vocabulary, 1013"));
}

}  // namespace
}  // namespace starling
