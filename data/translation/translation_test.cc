#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/dataset_conformance.h"
#include "data/translation/translation.pb.h"
#include "data/translations.h"
#include "glog/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::HasSubstr;

bool HasSentencePiece() { return std::system("command -v spm_train > /dev/null") == 0; }

// A cache and a corpus of this test program's own.
struct Corpus {
  Corpus() {
    setenv("XDG_CACHE_HOME", NewDirectory().c_str(), 1);
    for (const auto& [name, first, count] :
         {std::tuple<const char*, int, int>{"train", 0, 200}, {"val", 200, 12}, {"test", 300, 9}}) {
      std::string english, german;
      for (int i = first; i < first + count; ++i) {
        absl::StrAppend(&english, "the red house number ", i, i % 3 == 0 ? " is old." : ".", "\n");
        absl::StrAppend(&german, "das rote Häuschen „", i, i % 5 == 0 ? "“ ist alt.\n" : "“.\n");
      }
      Write(absl::StrCat(name, ".en"), english);
      Write(absl::StrCat(name, ".de"), german);
    }
  }
  void Write(const std::string& name, const std::string& text) const {
    CHECK_OK(WriteFileAtomically(directory + "/" + name, text));
  }
  const std::string directory = NewDirectory();
};

const Corpus& TheCorpus() {
  static const Corpus* const corpus = new Corpus;
  return *corpus;
}

TranslationConfig Config() {
  TranslationConfig config;
  config.set_dir(TheCorpus().directory);
  config.set_source("en");
  config.set_target("de");
  config.set_train("train");
  config.set_validation("val");
  config.set_test("test");
  config.set_vocabulary(90);
  config.set_max_length(156);
  return config;
}

INSTANTIATE_TEST_SUITE_P(MadeUp, DatasetConformance,
                         testing::Values(DatasetCase{DatasetRef("translation", Config())}),
                         DatasetCaseName);

class TranslationTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasSentencePiece()) GTEST_SKIP() << "Debian's package sentencepiece is not installed";
  }
};

std::vector<int64_t> Row(const Batch& batch, int field, int64_t i) {
  const int64_t length = batch.fields[field].shape[1];
  const auto row = batch.fields[field].buffer().Slice(i * length, length).as<int64_t>();
  return {row.begin(), row.end()};
}

TEST_F(TranslationTest, FieldsHoldOneSentenceThreeTimes) {
  const auto data = MakeDataset("translation", Config()).value();
  EXPECT_EQ(data->spec().vocabulary, 90);
  EXPECT_EQ(data->size(Split::kTrain), 200);
  EXPECT_EQ(data->size(Split::kValidation), 12);
  EXPECT_EQ(data->size(Split::kTest), 9);
  Batch batch;
  ASSERT_TRUE(data->Read(Split::kTrain, {1, 45}, 0, &batch).ok());
  int64_t longest = 0;
  for (int64_t i : {0, 1}) {
    std::vector<int64_t> source = Row(batch, 0, i), in = Row(batch, 1, i), out = Row(batch, 2, i);
    EXPECT_EQ(in.front(), kBegin);
    EXPECT_EQ(in.size(), out.size());
    // What is said at a place is what is seen at the next one.
    while (out.back() == kPadding) {
      EXPECT_EQ(in.back(), kPadding);
      in.pop_back(), out.pop_back();
    }
    EXPECT_EQ(out.back(), kEnd);
    EXPECT_TRUE(std::equal(out.begin(), out.end() - 1, in.begin() + 1));
    while (source.back() == kPadding) source.pop_back();
    EXPECT_EQ(source.back(), kEnd);
    const auto cost = static_cast<int64_t>(std::max(source.size(), out.size()));
    EXPECT_EQ(data->cost(Split::kTrain, i == 0 ? 1 : 45), cost);
    longest = std::max(longest, cost);
  }
  EXPECT_EQ(std::max(batch.fields[0].shape[1], batch.fields[1].shape[1]), longest);
}

TEST_F(TranslationTest, TokensReadAsTheSentence) {
  const auto data = MakeDataset("translation", Config()).value();
  const Translations* translations = data->translations();
  ASSERT_NE(translations, nullptr);
  EXPECT_EQ(translations->Reference(Split::kTest, 0), "das rote Häuschen „300“ ist alt.");
  Batch batch;
  for (Split split : {Split::kValidation, Split::kTest}) {
    for (int64_t i = 0; i < data->size(split); ++i) {
      ASSERT_TRUE(data->Read(split, {i}, 0, &batch).ok());
      EXPECT_EQ(translations->Text(Row(batch, 2, 0)), translations->Reference(split, i));
      EXPECT_EQ(translations->Text(Row(batch, 1, 0)), translations->Reference(split, i));
    }
  }
  const std::vector<int64_t> unknown = {kBegin, kUnknown, kEnd};
  EXPECT_EQ(translations->Text(unknown), " \u2047 ");
}

TEST_F(TranslationTest, LongSentencesAreCut) {
  TranslationConfig config = Config();
  config.set_max_length(4);
  const auto data = MakeDataset("translation", config).value(),
             whole = MakeDataset("translation", Config()).value();
  Batch cut, full;
  ASSERT_TRUE(data->Read(Split::kTrain, {0}, 0, &cut).ok());
  ASSERT_TRUE(whole->Read(Split::kTrain, {0}, 0, &full).ok());
  for (int field : {0, 2}) {
    std::vector<int64_t> expected = Row(full, field, 0);
    expected.resize(3);
    expected.push_back(kEnd);
    EXPECT_EQ(Row(cut, field, 0), expected);
  }
  EXPECT_EQ(data->cost(Split::kTrain, 0), 4);
  EXPECT_NE(data->fingerprint(), whole->fingerprint());
}

TEST_F(TranslationTest, PackedFilesAndGivenModelsMakeTheSame) {
  const std::string packed = NewDirectory();
  for (const auto& entry : std::filesystem::directory_iterator(TheCorpus().directory)) {
    const std::string name = entry.path().filename();
    ASSERT_EQ(std::system(absl::StrCat("gzip -c '", entry.path().string(), "' > '", packed, "/",
                                       name, ".gz'")
                              .c_str()),
              0);
  }
  const auto data = MakeDataset("translation", Config()).value();
  TranslationConfig config = Config();
  config.set_dir(packed);
  const auto same = MakeDataset("translation", config);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ((*same)->fingerprint(), data->fingerprint());

  std::string model;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           absl::StrCat(std::getenv("XDG_CACHE_HOME"), "/starling"))) {
    if (entry.path().filename() == "spm.model") model = entry.path();
  }
  config.set_sentencepiece(model);
  config.set_vocabulary(8000);  // not used
  const auto given = MakeDataset("translation", config);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ((*given)->fingerprint(), data->fingerprint());
}

TEST_F(TranslationTest, AForeignModelIsRefused) {
  const std::string prefix = NewDirectory() + "/foreign";
  ASSERT_EQ(std::system(absl::StrCat("spm_train --input='", TheCorpus().directory,
                                     "/train.en' --vocab_size=40 --model_prefix='", prefix,
                                     "' --minloglevel=2")
                            .c_str()),
            0);
  TranslationConfig config = Config();
  config.set_sentencepiece(prefix + ".model");
  EXPECT_EQ(
      MakeDataset("translation", config).status(),
      absl::InvalidArgumentError(absl::StrCat(
          "dataset \"translation\": the model ", prefix,
          ".model (dataset.config.sentencepiece) must have <pad>, <unk>, <s> and </s> as pieces "
          "0 to 3; train it with `spm_train --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3`")));
}

TEST_F(TranslationTest, SaysWhatIsWrongWithTheFiles) {
  TranslationConfig config = Config();
  config.set_train("tran");
  EXPECT_EQ(MakeDataset("translation", config).status(),
            absl::NotFoundError(absl::StrCat("dataset \"translation\": no tran.en in ",
                                             config.dir(), ", with or without .gz")));
  config = Config();
  config.set_dir("/nowhere");
  EXPECT_EQ(MakeDataset("translation", config).status(),
            absl::NotFoundError(
                "dataset \"translation\": the directory /nowhere (dataset.config.dir) does "
                "not exist; docs/data.md says where to get text"));
  config = Config();
  config.clear_dir();
  config.set_corpus("wmt14_nowhere");
  EXPECT_THAT(std::string(MakeDataset("translation", config).status().message()),
              HasSubstr("/wmt14_nowhere; docs/data.md says where to get text"));
  config = Config();
  config.set_vocabulary(50000);
  EXPECT_THAT(std::string(MakeDataset("translation", config).status().message()),
              testing::StartsWith("dataset \"translation\": spm_train failed: Vocabulary size"));
  TheCorpus().Write("short.en", "one\ntwo\n");
  TheCorpus().Write("short.de", "eins");
  config = Config();
  config.set_validation("short");
  EXPECT_EQ(
      MakeDataset("translation", config).status(),
      absl::DataLossError(absl::StrCat(
          "dataset \"translation\": ", config.dir(), "/short.en has 2 lines and ", config.dir(),
          "/short.de 1; line i of both belongs together, and there must be "
          "one")));
}

TEST(AssumedTranslationTest, RunsCanBePlannedWithoutTheFiles) {
  TranslationConfig config = Config();
  config.set_dir("/nowhere");
  config.mutable_assumed()->set_train_pairs(4500000);
  config.mutable_assumed()->set_test_pairs(3003);
  config.mutable_assumed()->set_tokens(30);
  const auto data = MakeDataset("translation", config);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ((*data)->size(Split::kTrain), 4500000);
  EXPECT_EQ((*data)->size(Split::kValidation), 0);
  EXPECT_EQ((*data)->size(Split::kTest), 3003);
  EXPECT_EQ((*data)->cost(Split::kTrain, 7), 30);
  EXPECT_EQ((*data)->spec().vocabulary, 90);
  const auto missing = absl::NotFoundError(
      "dataset \"translation\": the directory /nowhere (dataset.config.dir) does not exist; "
      "docs/data.md says where to get text");
  EXPECT_EQ((*data)->Available(), missing);
  Batch batch;
  EXPECT_EQ((*data)->Read(Split::kTrain, {0}, 0, &batch), missing);
}

TEST_F(TranslationTest, Multi30k) {
  const char* data = std::getenv("STARLING_DATA");
  if (data == nullptr || !std::filesystem::exists(absl::StrCat(data, "/multi30k"))) {
    GTEST_SKIP() << "no multi30k in the directory STARLING_DATA";
  }
  PluginRef ref;
  ref.set_name("translation");
  const auto made = Registry<Dataset>::Global().Create(ref, Dataset::Context());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->spec().vocabulary, 8000);
  EXPECT_EQ((*made)->size(Split::kTrain), 29000);
  EXPECT_EQ((*made)->size(Split::kValidation), 1014);
  EXPECT_EQ((*made)->size(Split::kTest), 1000);
  EXPECT_EQ((*made)->translations()->Reference(Split::kTest, 0),
            "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.");
  Batch batch;
  ASSERT_TRUE((*made)->Read(Split::kTest, {0}, 0, &batch).ok());
  EXPECT_EQ((*made)->translations()->Text(Row(batch, 2, 0)),
            "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.");
}

}  // namespace
}  // namespace starling
