#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "data/dataset_conformance.h"
#include "data/text/text.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::HasSubstr;

// The cache of this test, before any data set is made.
const bool cache_set = [] {
  setenv("XDG_CACHE_HOME", NewDirectory().c_str(), 1);
  return true;
}();

constexpr int kLines = 400;

std::string Line(int i) { return absl::StrCat("line ", i * i, " says \xC3\xA9", i, "\n"); }

std::string SampleText() {
  std::string text;
  for (int i = 0; i < kLines; ++i) text += Line(i);
  return text;
}

TextConfig Config(TextConfig::Tokenizer tokenizer, const std::string& text = SampleText()) {
  const std::string path = NewDirectory() + "/text.txt";
  CHECK_OK(WriteFileAtomically(path, text));
  TextConfig config;
  config.set_path(path);
  config.set_context(20);
  config.set_tokenizer(tokenizer);
  if (tokenizer == TextConfig::SENTENCEPIECE) config.set_vocabulary_size(320);
  return config;
}

std::string ErrorOf(const TextConfig& config, absl::StatusCode code) {
  const auto dataset = MakeDataset("text", config);
  EXPECT_EQ(dataset.status().code(), code) << dataset.status();
  return std::string(dataset.status().message());
}

// All tokens of a split, as far as they fill windows.
std::vector<int64_t> TokensOf(TextConfig config, Split split) {
  config.set_random_offsets(false);
  const auto dataset = MakeDataset("text", config).value();
  std::vector<int64_t> tokens;
  Batch batch;
  for (int64_t i = 0; i < dataset->size(split); ++i) {
    CHECK_OK(dataset->Read(split, {i}, 0, &batch));
    for (int64_t token : batch.fields[0].buffer().as<int64_t>()) tokens.push_back(token);
  }
  return tokens;
}

INSTANTIATE_TEST_SUITE_P(
    Tokenizers, DatasetConformance,
    testing::Values(DatasetCase{DatasetRef("text", Config(TextConfig::CHARACTERS))},
                    DatasetCase{DatasetRef("text", Config(TextConfig::BYTES))},
                    DatasetCase{DatasetRef("text", Config(TextConfig::SENTENCEPIECE))}),
    [](const auto& info) { return absl::StrCat("Case", info.index); });

TEST(TextTest, BytesAreTheText) {
  const TextConfig config = Config(TextConfig::BYTES);
  EXPECT_EQ(MakeDataset("text", config).value()->spec().vocabulary, 256);
  std::string text;
  for (int64_t token : TokensOf(config, Split::kTrain)) text += static_cast<char>(token);
  EXPECT_EQ(text, SampleText().substr(0, text.size()));
}

TEST(TextTest, CharactersAreNumberedInOrder) {
  const TextConfig config = Config(TextConfig::CHARACTERS,
                                   "ba\xC3\xA9"
                                   "a\nbb\n");
  TextConfig short_windows = config;
  short_windows.set_context(1);
  short_windows.set_validation_fraction(0);
  short_windows.set_test_fraction(0);
  EXPECT_EQ(MakeDataset("text", short_windows).value()->spec().vocabulary, 4);
  EXPECT_EQ(TokensOf(short_windows, Split::kTrain),
            (std::vector<int64_t>{2, 1, 3, 1, 0, 2, 2}));  // the last one is a target only
}

TEST(TextTest, SplitsFollowEachOtherByLines) {
  TextConfig config = Config(TextConfig::BYTES);
  config.set_validation_fraction(0.2);
  config.set_test_fraction(0.3);
  config.set_context(1);
  std::string all;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    std::string text;
    for (int64_t token : TokensOf(config, split)) text += static_cast<char>(token);
    text += '\n';  // the last token is a target only
    const double share = split == Split::kTrain ? 0.5 : split == Split::kValidation ? 0.2 : 0.3;
    EXPECT_NEAR(static_cast<double>(text.size()) / SampleText().size(), share, 0.005);
    all += text;
  }
  EXPECT_EQ(all, SampleText());
}

TEST(TextTest, FilesOfADirectoryAreReadInTheOrderOfTheirNames) {
  const std::string directory = NewDirectory();
  const std::string text = SampleText();
  for (const auto& [name, from, to] : std::vector<std::tuple<std::string, size_t, size_t>>{
           {"b.txt", 1000, text.size()}, {"a.txt", 0, 1000}}) {
    ASSERT_TRUE(WriteFileAtomically(directory + "/" + name, text.substr(from, to - from)).ok());
  }
  ASSERT_TRUE(WriteFileAtomically(directory + "/notes.md", "not this").ok());
  TextConfig config = Config(TextConfig::CHARACTERS);
  const auto one_file = MakeDataset("text", config).value();
  config.set_path(directory);
  EXPECT_EQ(MakeDataset("text", config).value()->fingerprint(), one_file->fingerprint());
}

TEST(TextTest, PiecesEndLinesAndStayBelowTheVocabulary) {
  const auto dataset = MakeDataset("text", Config(TextConfig::SENTENCEPIECE));
  if (absl::IsNotFound(dataset.status())) GTEST_SKIP() << dataset.status().message();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->spec().vocabulary, 320);
  int ends = 0;
  for (int64_t token : TokensOf(Config(TextConfig::SENTENCEPIECE), Split::kTrain)) {
    EXPECT_LT(token, 320);
    EXPECT_GE(token, 3);
    ends += token == 3;
  }
  EXPECT_NEAR(ends, 0.9 * kLines, 5);
}

TEST(TextTest, SaysWhatIsWrongWithItsOptions) {
  TextConfig config = Config(TextConfig::SENTENCEPIECE);
  config.set_vocabulary_size(0);
  EXPECT_EQ(ErrorOf(config, absl::StatusCode::kInvalidArgument),
            "dataset \"text\": tokenizer: SENTENCEPIECE needs a vocabulary_size, such as 4000");
  config = Config(TextConfig::BYTES);
  config.set_vocabulary_size(300);
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kInvalidArgument),
              HasSubstr("vocabulary_size is 300, which only tokenizer: SENTENCEPIECE takes"));
  config = Config(TextConfig::BYTES);
  config.set_test_fraction(0.96);
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kInvalidArgument),
              HasSubstr("are 0.05 and 0.96; together they must leave text to train on"));
}

TEST(TextTest, SaysWhatIsWrongWithTheText) {
  EXPECT_THAT(
      ErrorOf(Config(TextConfig::CHARACTERS, "ab\xFF\n"), absl::StatusCode::kInvalidArgument),
      HasSubstr("behind 0 bytes, byte 2 is no UTF-8; tokenizer: BYTES takes any text"));
  EXPECT_THAT(ErrorOf(Config(TextConfig::BYTES, "ab\n"), absl::StatusCode::kInvalidArgument),
              HasSubstr("train.bin holds 3 tokens; a window of context 20 takes 21"));
  TextConfig config = Config(TextConfig::BYTES);
  config.set_path("/nowhere/text.txt");
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kNotFound),
              HasSubstr("dataset \"text\": cannot read /nowhere/text.txt: No such file"));
  config.set_path(NewDirectory());
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kNotFound), HasSubstr(" holds no .txt file"));
  config.clear_path();
  const char* data = std::getenv("STARLING_DATA");
  const std::string saved = data == nullptr ? "" : data;
  unsetenv("STARLING_DATA");
  EXPECT_EQ(ErrorOf(config, absl::StatusCode::kNotFound),
            "dataset \"text\": its files were not found; looked for "
            "$STARLING_DATA/tinyshakespeare/input.txt. Name a file, or a directory of .txt files, "
            "with dataset.config.path");
  setenv("STARLING_DATA", "/nowhere", 1);
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kNotFound),
              HasSubstr("looked for /nowhere/tinyshakespeare/input.txt. Name a file"));
  unsetenv("STARLING_DATA");
  if (!saved.empty()) setenv("STARLING_DATA", saved.c_str(), 1);
}

// 1,115,394 characters, 65 of them different, as is commonly reported of it.
TEST(TextTest, ReadsTinyShakespeare) {
  TextConfig config;
  const auto dataset = MakeDataset("text", config);
  if (absl::IsNotFound(dataset.status())) GTEST_SKIP() << dataset.status().message();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->spec().vocabulary, 65);
  int64_t tokens = 0;
  for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    tokens += (*dataset)->size(split) * 256;
  }
  EXPECT_NEAR(static_cast<double>(tokens), 1115394, 3 * 257);
}

}  // namespace
}  // namespace starling
