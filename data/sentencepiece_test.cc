#include "data/sentencepiece.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::HasSubstr;

class SentencePieceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v spm_train > /dev/null") != 0) {
      GTEST_SKIP() << "Debian's package sentencepiece is not installed";
    }
    std::string text;
    for (int i = 0; i < 300; ++i) {
      text += "the pattern " + std::to_string(i * i) + " is one of " + std::to_string(i) + "\n";
    }
    ASSERT_TRUE(WriteFileAtomically(text_, text).ok());
  }

  const std::string directory_ = NewDirectory();
  const std::string text_ = directory_ + "/text file";
};

TEST_F(SentencePieceTest, TrainsTheSameModelAgain) {
  std::vector<std::string> vocabularies;
  for (const char* name : {"/a", "/b"}) {
    const absl::Status status = TrainSentencePiece({text_, text_}, 60, {}, directory_ + name);
    ASSERT_TRUE(status.ok()) << status;
    vocabularies.push_back(ReadFile(directory_ + name + ".vocab").value());
  }
  EXPECT_EQ(vocabularies[0], vocabularies[1]);
  EXPECT_THAT(vocabularies[0], testing::StartsWith("<pad>\t0\n<unk>\t0\n<s>\t0\n</s>\t0\n"));
}

TEST_F(SentencePieceTest, EncodesLinesWithAnEndEach) {
  ASSERT_TRUE(TrainSentencePiece({text_}, 60, {}, directory_ + "/m").ok());
  const std::string lines = directory_ + "/lines";
  ASSERT_TRUE(WriteFileAtomically(lines, "the pattern\n\nis one\n").ok());
  const auto ids = EncodeWithSentencePiece(directory_ + "/m.model", lines);
  ASSERT_TRUE(ids.ok()) << ids.status();
  int ends = 0;
  for (int32_t id : *ids) {
    EXPECT_TRUE(id >= kEndPiece && id < 60) << id;
    ends += id == kEndPiece;
  }
  EXPECT_EQ(ends, 3);
  EXPECT_EQ(ids->back(), kEndPiece);
}

// What spm_decode makes of a line's tokens, for lines that the model knows and one that it does
// not.
TEST_F(SentencePieceTest, PiecesReadAsSpmDecodePrintsThem) {
  const std::string model = directory_ + "/m.model", lines = directory_ + "/lines";
  ASSERT_TRUE(TrainSentencePiece({text_}, 60, {}, directory_ + "/m").ok());
  ASSERT_TRUE(WriteFileAtomically(lines, "the pattern 25 is one\n\n one  of\nthe ä one\n").ok());
  ASSERT_EQ(std::system(("spm_encode --model='" + model + "' --input='" + lines +
                         "' --output_format=id | spm_decode --model='" + model +
                         "' --input_format=id > '" + directory_ + "/decoded'")
                            .c_str()),
            0);
  const auto pieces = PiecesOf(model);
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  ASSERT_EQ(pieces->size(), 60u);
  EXPECT_EQ((*pieces)[kEndPiece], "</s>");
  std::string text;
  std::vector<int64_t> line;
  const auto ids = EncodeWithSentencePiece(model, lines);
  ASSERT_TRUE(ids.ok()) << ids.status();
  for (int32_t id : *ids) {
    line.push_back(id);
    if (id != kEndPiece) continue;
    text += TextOf(*pieces, line) + "\n";
    line.clear();
  }
  EXPECT_EQ(text, ReadFile(directory_ + "/decoded").value());
  EXPECT_THAT(text, HasSubstr("the pattern 25 is one\n"));
}

TEST_F(SentencePieceTest, SaysInOneSentenceWhatWentWrong) {
  EXPECT_THAT(
      std::string(TrainSentencePiece({text_}, 8000, {}, directory_ + "/m").message()),
      testing::MatchesRegex("spm_train failed: Vocabulary size too high \\(8000\\). Please set it "
                            "to a value <= [0-9]+."));
  EXPECT_THAT(std::string(EncodeWithSentencePiece("/nowhere.model", text_).status().message()),
              HasSubstr("/nowhere.model\": No such file"));
}

TEST(SentencePieceProgramsTest, MissingProgramsAreNamed) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const absl::Status status = TrainSentencePiece({"a"}, 10, {}, "b");
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(status, absl::NotFoundError("the program spm_train was not found; `apt-get install "
                                        "sentencepiece` installs it"));
}

}  // namespace
}  // namespace starling
