#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/config/plugin_ref.pb.h"
#include "core/run/test_files.h"
#include "core/safetensors.h"
#include "core/status.h"
#include "data/dataset_conformance.h"
#include "data/idx_testutil.h"
#include "data/npy_testutil.h"
#include "data/tensor_file/tensor_file.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kExamples = 40;

template <typename T>
std::vector<T> Counting(int64_t count, T first = 0) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

template <typename T>
std::vector<T> Labels(int64_t count, int64_t classes) {
  std::vector<T> labels(count);
  for (int64_t i = 0; i < count; ++i) labels[i] = static_cast<T>(i * 7 % classes);
  return labels;
}

TensorFileConfig::Field* AddField(TensorFileConfig* config, const std::string& name,
                                  const std::string& train) {
  auto* field = config->add_field();
  field->set_name(name);
  field->set_train(train);
  return field;
}

// A directory with x.npy (float [40, 2, 3]), y.npy (int64 [40], 4 classes) and more.
class TensorFileTest : public testing::Test {
 protected:
  TensorFileTest() {
    Write("x.npy", NpyOf({kExamples, 2, 3}, Counting<float>(6 * kExamples)));
    Write("y.npy", NpyOf({kExamples}, Labels<int64_t>(kExamples, 4)));
  }

  void Write(const std::string& name, const std::string& bytes) const {
    WriteBytes(directory_ + "/" + name, bytes);
  }

  TensorFileConfig Config() const {
    TensorFileConfig config;
    config.set_dir(directory_);
    return config;
  }

  TensorFileConfig Labelled(const std::string& x = "x.npy", const std::string& y = "y.npy") const {
    TensorFileConfig config = Config();
    AddField(&config, "image", x);
    AddField(&config, "label", y);
    return config;
  }

  static std::string ErrorOf(const TensorFileConfig& config) {
    const auto status = MakeDataset("tensor_file", config).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), StartsWith("dataset \"tensor_file\": "));
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
    return std::string(status.message());
  }

  const std::string directory_ = NewDirectory();
};

// All values of one field of a split.
template <typename T>
std::vector<T> All(const Dataset& dataset, Split split, int field) {
  Batch batch;
  EXPECT_TRUE(dataset.Read(split, Counting<int64_t>(dataset.size(split)), 0, &batch).ok());
  const auto values = batch.fields[field].buffer().as<T>();
  return {values.begin(), values.end()};
}

std::vector<DatasetCase> Cases() {
  const std::string directory = NewDirectory();
  WriteBytes(directory + "/x.npy", NpyOf({kExamples, 2, 3}, Counting<double>(6 * kExamples)));
  WriteBytes(directory + "/all.npz",
             ZipOf({{"y.npy", NpyOf({kExamples}, Labels<uint8_t>(kExamples, 4))},
                    {"tokens.npy", NpyOf({kExamples, 2}, Counting<int32_t>(2 * kExamples))}},
                   /*deflated=*/true));
  TensorFileConfig labelled, tokens;
  labelled.set_dir(directory);
  AddField(&labelled, "image", "x.npy");
  AddField(&labelled, "label", "all.npz:y");
  tokens.set_dir(directory);
  AddField(&tokens, "tokens", "all.npz:tokens");
  std::vector<DatasetCase> cases;
  for (const TensorFileConfig& config : {labelled, tokens}) {
    PluginRef ref;
    ref.set_name("tensor_file");
    ref.mutable_config()->PackFrom(config);
    cases.push_back({ref});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<DatasetCase>& info) {
                           return info.index == 0 ? "Labelled" : "Tokens";
                         });

TEST_F(TensorFileTest, EndsOfTheTrainingArraysAreTheOtherSplits) {
  TensorFileConfig config = Labelled();
  config.set_validation_share(0.25);
  config.set_test_share(0.125);
  const auto dataset = MakeDataset("tensor_file", config).value();
  EXPECT_EQ(dataset->size(Split::kTrain), 25);
  EXPECT_EQ(dataset->size(Split::kValidation), 10);
  EXPECT_EQ(dataset->size(Split::kTest), 5);
  EXPECT_EQ(All<float>(*dataset, Split::kTrain, 0), Counting<float>(150));
  EXPECT_EQ(All<float>(*dataset, Split::kValidation, 0), Counting<float>(60, 150));
  EXPECT_EQ(All<float>(*dataset, Split::kTest, 0), Counting<float>(30, 210));
  EXPECT_EQ(dataset->labels(Split::kValidation)[0], 25 * 7 % 4);
  EXPECT_EQ(dataset->spec().classes, 4);
  EXPECT_EQ(dataset->spec().vocabulary, 0);
  EXPECT_THAT(dataset->spec().fields[0].shape, ElementsAre(2, 3));
}

TEST_F(TensorFileTest, SplitsMayHaveArraysOfTheirOwn) {
  Write("test.npz", ZipOf({{"x.npy", NpyOf({2, 2, 3}, Counting<float>(12, 1000))},
                           {"y.npy", NpyOf<int64_t>({2}, {3, 1})}},
                          /*deflated=*/true));
  TensorFileConfig config = Labelled();
  config.set_validation_share(0);
  config.mutable_field(0)->set_test("test.npz:x");
  config.mutable_field(1)->set_test("test.npz:y");
  const auto dataset = MakeDataset("tensor_file", config).value();
  EXPECT_EQ(dataset->size(Split::kTrain), kExamples);
  EXPECT_EQ(dataset->size(Split::kValidation), 0);
  EXPECT_EQ(All<float>(*dataset, Split::kTest, 0), Counting<float>(12, 1000));
  EXPECT_THAT(dataset->labels(Split::kTest), ElementsAre(3, 1));
}

TEST_F(TensorFileTest, ReadsEveryKindOfFileAlike) {
  const std::string x = NpyOf({kExamples, 2, 3}, Counting<float>(6 * kExamples)),
                    y = NpyOf({kExamples}, Labels<int64_t>(kExamples, 4));
  Write("stored.npz", ZipOf({{"a.npy", x}, {"b.npy", y}}, /*deflated=*/false));
  std::vector<float> values = Counting<float>(6 * kExamples);
  std::vector<int64_t> labels = Labels<int64_t>(kExamples, 4);
  CHECK_OK(WriteSafetensors(directory_ + "/all.safetensors",
                            {{"a", {{kExamples, 2, 3}, AsBuffer(absl::MakeSpan(values))}},
                             {"b", {{kExamples}, AsBuffer(absl::MakeSpan(labels))}}},
                            {}));
  const auto npy = MakeDataset("tensor_file", Labelled()).value();
  for (const std::string file : {"stored.npz", "all.safetensors"}) {
    const auto other = MakeDataset("tensor_file", Labelled(file + ":a", file + ":b"));
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_EQ((*other)->fingerprint(), npy->fingerprint()) << file;
    EXPECT_EQ(All<float>(**other, Split::kTrain, 0), All<float>(*npy, Split::kTrain, 0));
    EXPECT_EQ((*other)->labels(Split::kTest), npy->labels(Split::kTest));
  }
}

TEST_F(TensorFileTest, BytesBecomeNumbersFromZeroToOne) {
  Write("bytes.npy", NpyOf({4, 1}, std::vector<uint8_t>{0, 51, 102, 255}));
  TensorFileConfig config = Config();
  AddField(&config, "image", "bytes.npy");
  config.set_test_share(0);
  config.set_validation_share(0);
  const auto scaled = MakeDataset("tensor_file", config).value();
  EXPECT_EQ(scaled->spec().fields[0].type, DType::kF32);
  EXPECT_THAT(All<float>(*scaled, Split::kTrain, 0),
              ElementsAre(0.0f, static_cast<float>(0.2), static_cast<float>(0.4), 1.0f));
  config.set_scale(false);
  const auto plain = MakeDataset("tensor_file", config).value();
  EXPECT_THAT(All<float>(*plain, Split::kTrain, 0), ElementsAre(0, 51, 102, 255));
  EXPECT_NE(scaled->fingerprint(), plain->fingerprint());
}

TEST_F(TensorFileTest, IntegersAreTokens) {
  Write("tokens.npy", NpyOf({10, 3}, Counting<int32_t>(30)));
  TensorFileConfig config = Config();
  AddField(&config, "tokens", "tokens.npy");
  auto dataset = MakeDataset("tensor_file", config).value();
  EXPECT_EQ(dataset->spec().fields[0].type, DType::kI64);
  EXPECT_EQ(dataset->spec().classes, 0);
  EXPECT_EQ(dataset->spec().vocabulary, 30);
  EXPECT_EQ(All<int64_t>(*dataset, Split::kTest, 0), Counting<int64_t>(3, 27));
  EXPECT_TRUE(dataset->labels(Split::kTrain).empty());
  config.set_vocabulary(100);
  EXPECT_EQ(MakeDataset("tensor_file", config).value()->spec().vocabulary, 100);
  config.set_vocabulary(29);
  EXPECT_THAT(ErrorOf(config),
              HasSubstr("field \"tokens\" has a token 29 in the test split; tokens "
                        "are 0 to 28"));
}

TEST_F(TensorFileTest, ClassesMayBeGiven) {
  TensorFileConfig config = Labelled();
  config.set_classes(10);
  EXPECT_EQ(MakeDataset("tensor_file", config).value()->spec().classes, 10);
  config.set_classes(3);
  EXPECT_THAT(ErrorOf(config), HasSubstr("a train label is 3; labels are integers from 0 to 2"));
  Write("y.npy", NpyOf({kExamples}, std::vector<int64_t>(kExamples, -1)));
  EXPECT_THAT(ErrorOf(Labelled()),
              HasSubstr("a train label is -1; labels are integers from 0 to 2147483647"));
  Write("y.npy", NpyOf({kExamples}, std::vector<int64_t>(kExamples, INT64_MAX)));
  EXPECT_THAT(ErrorOf(Labelled()), HasSubstr("a train label is 9223372036854775807; labels are"));
  TensorFileConfig none = Config();
  AddField(&none, "image", "x.npy");
  none.set_classes(3);
  EXPECT_THAT(ErrorOf(none), HasSubstr("classes is 3, but no field is called \"label\""));
}

TEST_F(TensorFileTest, SaysWhichFieldIsWrong) {
  EXPECT_THAT(ErrorOf(Config()), HasSubstr("dataset.config.field is not set; every field"));
  TensorFileConfig config = Config();
  AddField(&config, "image", "");
  EXPECT_THAT(ErrorOf(config), HasSubstr("field \"image\": it has no train; that is where"));
  config = Config();
  AddField(&config, "", "x.npy");
  EXPECT_THAT(ErrorOf(config), HasSubstr("field \"\": it has no name"));
  config = Labelled();
  AddField(&config, "image", "x.npy");
  EXPECT_THAT(ErrorOf(config), HasSubstr("field \"image\": it stands there twice"));
  Write("y.npy", NpyOf({kExamples, 1}, Labels<int64_t>(kExamples, 4)));
  EXPECT_THAT(ErrorOf(Labelled()),
              HasSubstr("field \"label\": labels are one integer per example; y.npy has I64 [1]"));
  EXPECT_THAT(ErrorOf(Labelled("x.npy", "x.npy")), HasSubstr("x.npy has F32 [2, 3]"));
}

TEST_F(TensorFileTest, SaysWhichFileIsWrong) {
  EXPECT_THAT(ErrorOf(Labelled("none.npy")),
              HasSubstr(absl::StrCat("field \"image\": cannot read ", directory_,
                                     "/none.npy: No such file or directory")));
  EXPECT_THAT(ErrorOf(Labelled("x.txt")),
              HasSubstr("/x.txt is not FILE.npy, FILE.npz:NAME or FILE.safetensors:NAME"));
  Write("y.npy", NpyFile(NpyHeader(">i8", {kExamples}), std::string(8 * kExamples, '\0')));
  EXPECT_THAT(ErrorOf(Labelled()), HasSubstr("/y.npy: its numbers are big-endian (>i8); save"));
  Write("a.npz", ZipOf({{"x.npy", NpyOf<float>({1}, {0})}, {"z.npy", ""}}, false));
  EXPECT_THAT(ErrorOf(Labelled("a.npz")),
              HasSubstr("/a.npz holds arrays by name; say which one, as FILE:NAME; it has x, z"));
  EXPECT_THAT(ErrorOf(Labelled("a.npz:y")), HasSubstr("/a.npz has no array \"y\"; it has x, z"));
  EXPECT_THAT(ErrorOf(Labelled("a.npz:z")),
              HasSubstr("/a.npz: array \"z\": it is no whole .npy file"));
  Write("b.safetensors", "text, but not very long");
  EXPECT_THAT(ErrorOf(Labelled("b.safetensors:x")), HasSubstr("/b.safetensors is no whole"));
  std::vector<float> value(1);
  CHECK_OK(WriteSafetensors(directory_ + "/c.safetensors",
                            {{"x", {{1}, AsBuffer(absl::MakeSpan(value))}}}, {}));
  EXPECT_THAT(ErrorOf(Labelled("c.safetensors")), HasSubstr("as FILE:NAME; it has x"));
  EXPECT_THAT(ErrorOf(Labelled("c.safetensors:y")), HasSubstr("has no array \"y\"; it has x"));
}

TEST_F(TensorFileTest, SaysWhichArraysDoNotFit) {
  Write("y.npy", NpyOf({kExamples - 1}, Labels<int64_t>(kExamples - 1, 4)));
  EXPECT_THAT(ErrorOf(Labelled()), HasSubstr("y.npy holds 39 examples, but x.npy holds 40"));
  Write("scalar.npy", NpyOf<float>({}, {1}));
  EXPECT_THAT(ErrorOf(Labelled("scalar.npy")),
              HasSubstr("scalar.npy is a single number; its first"));
  Write("none.npy", NpyOf<float>({0, 3}, {}));
  EXPECT_THAT(ErrorOf(Labelled("none.npy")), HasSubstr("none.npy has no elements"));

  Write("y.npy", NpyOf({kExamples}, Labels<int64_t>(kExamples, 4)));
  Write("test.npy", NpyOf({kExamples, 6}, Counting<float>(6 * kExamples)));
  TensorFileConfig config = Labelled();
  config.mutable_field(0)->set_test("test.npy");
  EXPECT_THAT(ErrorOf(config), HasSubstr("field \"image\": an example in test.npy is F32 [6], but "
                                         "one in x.npy is F32 [2, 3]"));
  config.mutable_field(0)->set_test("x.npy");
  EXPECT_THAT(ErrorOf(config),
              HasSubstr("field \"label\" has no test array, but field \"image\" has one"));
  config = Labelled();
  config.set_validation_share(0.6);
  config.set_test_share(0.5);
  EXPECT_THAT(ErrorOf(config), HasSubstr("validation_share 0.6 and test_share 0.5 leave nothing of "
                                         "40 examples to train on"));
}

TEST_F(TensorFileTest, FingerprintTellsTheSplitsAndFields) {
  const auto dataset = MakeDataset("tensor_file", Labelled()).value();
  TensorFileConfig config = Labelled();
  config.set_test_share(0.2);
  EXPECT_NE(MakeDataset("tensor_file", config).value()->fingerprint(), dataset->fingerprint());
  config = Labelled();
  config.mutable_field(0)->set_name("other");
  EXPECT_NE(MakeDataset("tensor_file", config).value()->fingerprint(), dataset->fingerprint());
}

}  // namespace
}  // namespace starling
