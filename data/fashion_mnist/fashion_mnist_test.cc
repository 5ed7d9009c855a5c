#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/dataset_conformance.h"
#include "data/fashion_mnist/fashion_mnist.pb.h"
#include "data/idx_testutil.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kDebianDirectory[] = "/usr/share/datasets/fashion-mnist";
constexpr int64_t kTrain = 60, kTest = 20, kSide = 6, kPixels = kSide * kSide;

// Images whose first pixel is their number, from `first` on, so that examples can be told apart.
std::string Images(int64_t count, uint8_t first) {
  std::vector<uint8_t> pixels(count * kPixels);
  for (int64_t i = 0; i < count * kPixels; ++i) pixels[i] = static_cast<uint8_t>(i * 37);
  for (int64_t i = 0; i < count; ++i) pixels[i * kPixels] = static_cast<uint8_t>(first + i);
  return IdxBytes({static_cast<uint32_t>(count), kSide, kSide}, pixels);
}

std::string Labels(int64_t count) {
  std::vector<uint8_t> labels(count);
  for (int64_t i = 0; i < count; ++i) labels[i] = static_cast<uint8_t>(i * 3 % 10);
  return IdxBytes({static_cast<uint32_t>(count)}, labels);
}

// A directory of its own with a small, complete data set; its path.
std::string SmallDirectory(const std::string& name) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/", name);
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  WriteBytes(directory + "/train-images-idx3-ubyte.gz", Gzipped(Images(kTrain, 0)));
  WriteBytes(directory + "/train-labels-idx1-ubyte.gz", Gzipped(Labels(kTrain)));
  WriteBytes(directory + "/t10k-images-idx3-ubyte", Images(kTest, kTrain));
  WriteBytes(directory + "/t10k-labels.idx1-ubyte", Labels(kTest));
  return directory;
}

FashionMnistConfig Small(const std::string& directory) {
  FashionMnistConfig config;
  config.set_dir(directory);
  config.set_validation_examples(10);
  return config;
}

// The first value of one example.
float FirstValue(const Dataset& dataset, Split split, int64_t example) {
  Batch batch;
  EXPECT_TRUE(dataset.Read(split, {example}, 0, &batch).ok());
  return batch.fields[0].buffer().as<float>()[0];
}

std::string ErrorOf(const FashionMnistConfig& config, absl::StatusCode code) {
  const auto dataset = MakeDataset("fashion_mnist", config);
  EXPECT_EQ(dataset.status().code(), code) << dataset.status();
  return std::string(dataset.status().message());
}

INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance,
                         testing::Values(DatasetCase{
                             DatasetRef("fashion_mnist", Small(SmallDirectory("conformance")))}),
                         DatasetCaseName);

TEST(FashionMnistTest, LastTrainingImagesAreTheValidationSplit) {
  FashionMnistConfig config = Small(SmallDirectory("splits"));
  config.set_normalize(false);
  const auto dataset = MakeDataset("fashion_mnist", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ((*dataset)->size(Split::kTrain), 50);
  ASSERT_EQ((*dataset)->size(Split::kValidation), 10);
  ASSERT_EQ((*dataset)->size(Split::kTest), 20);
  int64_t number = 0;
  for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    for (int64_t i = 0; i < (*dataset)->size(split); ++i, ++number) {
      EXPECT_EQ(FirstValue(**dataset, split, i), static_cast<float>(number / 255.0));
      const int64_t in_file = split == Split::kTest ? i : number;
      EXPECT_EQ((*dataset)->labels(split)[i], in_file * 3 % 10);
    }
  }
}

TEST(FashionMnistTest, NormalizesPixels) {
  const auto dataset = MakeDataset("fashion_mnist", Small(SmallDirectory("normalize")));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(FirstValue(**dataset, Split::kTrain, 0), static_cast<float>(-0.2860 / 0.3530));
  EXPECT_EQ(FirstValue(**dataset, Split::kTest, 3),
            static_cast<float>((63 / 255.0 - 0.2860) / 0.3530));
}

TEST(FashionMnistTest, FingerprintIsTheSameWhereverTheFilesLie) {
  const auto a = MakeDataset("fashion_mnist", Small(SmallDirectory("here"))),
             b = MakeDataset("fashion_mnist", Small(SmallDirectory("there")));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ((*a)->fingerprint(), (*b)->fingerprint());
  FashionMnistConfig config = Small(SmallDirectory("here"));
  config.set_validation_examples(11);
  const auto other_splits = MakeDataset("fashion_mnist", config);
  ASSERT_TRUE(other_splits.ok());
  EXPECT_NE((*a)->fingerprint(), (*other_splits)->fingerprint());
}

TEST(FashionMnistTest, LooksIntoStarlingData) {
  SmallDirectory("data/fashion_mnist");
  setenv("STARLING_DATA", (testing::TempDir() + "/data").c_str(), 1);
  FashionMnistConfig config;
  config.set_validation_examples(1);
  const auto dataset = MakeDataset("fashion_mnist", config);
  unsetenv("STARLING_DATA");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), kTrain - 1);
}

TEST(FashionMnistTest, NamesADirectoryThatDoesNotExist) {
  EXPECT_THAT(ErrorOf(Small("/nowhere/fashion"), absl::StatusCode::kNotFound),
              AllOf(HasSubstr("the directory /nowhere/fashion (dataset.config.dir) does not exist"),
                    HasSubstr("apt-get install dataset-fashion-mnist")));
}

TEST(FashionMnistTest, NamesTheMissingFile) {
  const std::string directory = SmallDirectory("missing");
  std::filesystem::remove(directory + "/t10k-labels.idx1-ubyte");
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kNotFound),
              AllOf(HasSubstr("no t10k-labels-idx1-ubyte in " + directory + ", with or without"),
                    HasSubstr("apt-get install dataset-fashion-mnist")));
}

TEST(FashionMnistTest, NamesTheBrokenFile) {
  const std::string directory = SmallDirectory("broken");
  const std::string packed = Gzipped(Images(kTrain, 0));
  WriteBytes(directory + "/train-images-idx3-ubyte.gz", packed.substr(0, packed.size() / 2));
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kDataLoss),
              HasSubstr(directory + "/train-images-idx3-ubyte.gz is a truncated gzip file"));
}

TEST(FashionMnistTest, RefusesOtherNumbersOfLabelsThanImages) {
  const std::string directory = SmallDirectory("counts");
  WriteBytes(directory + "/t10k-labels.idx1-ubyte", Labels(kTest + 1));
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kDataLoss),
              AllOf(HasSubstr("t10k-labels.idx1-ubyte holds 21 labels, but"),
                    HasSubstr("t10k-images-idx3-ubyte holds 20 images")));
}

TEST(FashionMnistTest, RefusesALabelOutOfRange) {
  const std::string directory = SmallDirectory("label");
  std::string labels = Labels(kTest);
  labels[8 + 5] = 10;  // behind the header of eight bytes
  WriteBytes(directory + "/t10k-labels.idx1-ubyte", labels);
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kDataLoss),
              HasSubstr("t10k-labels.idx1-ubyte: label 5 is 10; labels are 0 to 9"));
}

TEST(FashionMnistTest, RefusesTestImagesOfAnotherSize) {
  const std::string directory = SmallDirectory("sizes");
  WriteBytes(directory + "/t10k-images-idx3-ubyte",
             IdxBytes({kTest, 1, 1}, std::vector<uint8_t>(kTest)));
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kDataLoss),
              HasSubstr("training images are 6 x 6 pixels, but test images 1 x 1"));
}

TEST(FashionMnistTest, RefusesFilesWithoutImages) {
  const std::string directory = SmallDirectory("empty");
  WriteBytes(directory + "/t10k-images-idx3-ubyte", IdxBytes({0, 6, 6}, {}));
  WriteBytes(directory + "/t10k-labels.idx1-ubyte", IdxBytes({0}, {}));
  EXPECT_THAT(ErrorOf(Small(directory), absl::StatusCode::kDataLoss),
              HasSubstr("holds no pixels: its shape is 0 x 6 x 6"));
}

TEST(FashionMnistTest, KeepsAtLeastOneTrainingImage) {
  FashionMnistConfig config = Small(SmallDirectory("validation"));
  config.set_validation_examples(kTrain);
  EXPECT_THAT(ErrorOf(config, absl::StatusCode::kInvalidArgument),
              HasSubstr("validation_examples is 60; it must be less than the 60 training images"));
  config.set_validation_examples(0);
  const auto dataset = MakeDataset("fashion_mnist", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kValidation), 0);
}

// Debian's files: 60,000 + 10,000 images, every class equally often in each.
TEST(FashionMnistTest, ReadsTheRealFiles) {
  if (!std::filesystem::exists(kDebianDirectory)) {
    GTEST_SKIP() << "Debian's package dataset-fashion-mnist is not installed";
  }
  FashionMnistConfig config;
  config.set_dir(kDebianDirectory);
  config.set_normalize(false);
  const auto dataset = MakeDataset("fashion_mnist", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 55000);
  EXPECT_EQ((*dataset)->size(Split::kValidation), 5000);
  EXPECT_EQ((*dataset)->size(Split::kTest), 10000);
  EXPECT_EQ((*dataset)->spec().fields[0].shape, (std::vector<int64_t>{1, 28, 28}));

  std::vector<int64_t> in_training_file(10, 0), in_test_file(10, 0);
  for (int32_t label : (*dataset)->labels(Split::kTrain)) ++in_training_file[label];
  for (int32_t label : (*dataset)->labels(Split::kValidation)) ++in_training_file[label];
  for (int32_t label : (*dataset)->labels(Split::kTest)) ++in_test_file[label];
  EXPECT_EQ(in_training_file, std::vector<int64_t>(10, 6000));
  EXPECT_EQ(in_test_file, std::vector<int64_t>(10, 1000));

  double sum = 0, squares = 0;
  Batch batch;
  for (Split split : {Split::kTrain, Split::kValidation}) {
    for (int64_t begin = 0; begin < (*dataset)->size(split); begin += 1000) {
      std::vector<int64_t> ids(1000);
      for (int64_t i = 0; i < 1000; ++i) ids[i] = begin + i;
      ASSERT_TRUE((*dataset)->Read(split, ids, 0, &batch).ok());
      for (float value : batch.fields[0].buffer().as<float>()) {
        sum += value;
        squares += static_cast<double>(value) * value;
      }
    }
  }
  const double mean = sum / (60000 * 784);
  EXPECT_NEAR(mean, 0.2860, 5e-5);
  EXPECT_NEAR(std::sqrt(squares / (60000 * 784) - mean * mean), 0.3530, 5e-5);
}

}  // namespace
}  // namespace starling
