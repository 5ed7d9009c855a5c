#include <png.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "data/dataset_conformance.h"
#include "data/image/decode.h"
#include "data/image/image.h"
#include "data/image/image_testutil.h"
#include "data/image/resize.h"
#include "data/imagefolder/imagefolder.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kPerClass = 7;
constexpr const char* kClasses[] = {"ant", "bee", "cat"};

std::string Jpeg(int number) {
  const Image image = Gradient(40 + number, 60 - number, number);
  return JpegBytes(image.width, image.height, 3, image.pixels);
}

// A directory of its own: 21 images to train, numbered class by class, 6 to test; its path.
std::string SmallDirectory(const std::string& name) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/", name);
  std::filesystem::remove_all(directory);
  int number = 0;
  for (const char* split : {"train", "val"}) {
    for (const char* label : kClasses) {
      const std::string folder = absl::StrCat(directory, "/", split, "/", label);
      std::filesystem::create_directories(folder);
      for (int i = 0; i < (split[0] == 't' ? kPerClass : 2); ++i, ++number) {
        WriteFile(absl::StrCat(folder, "/", i, i % 2 == 0 ? ".JPEG" : ".jpg"), Jpeg(number));
      }
    }
  }
  return directory;
}

ImagefolderConfig Small(const std::string& name) {
  ImagefolderConfig config;
  config.set_dir(SmallDirectory(name));
  config.set_train_crop(12);
  config.set_eval_resize(20);
  config.set_eval_crop(16);
  config.set_validation_fraction(0.15);
  return config;
}

std::vector<float> ReadOne(const Dataset& dataset, Split split, int64_t example, uint64_t stream) {
  Batch batch;
  const absl::Status status = dataset.Read(split, {example}, stream, &batch);
  EXPECT_TRUE(status.ok()) << status;
  const auto values = batch.fields[0].buffer().as<float>();
  return {values.begin(), values.end()};
}

// The number of an image, from its blue: nothing of that is changed by scaling.
int NumberOf(const std::vector<float>& values) {
  const double blue = (values.back() * 0.225 + 0.406) * 255;
  for (int number = 0; number < 27; ++number) {
    if (std::abs(number * 9 % 256 - blue) < 3) return number;
  }
  return -1;
}

INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance,
                         testing::Values(DatasetCase{
                             DatasetRef("imagefolder", Small("conformance"))}),
                         DatasetCaseName);

TEST(ImagefolderTest, ValidationIsSpreadEvenlyOverTrain) {
  const auto dataset = MakeDataset("imagefolder", Small("splits"));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->spec().classes, 3);
  EXPECT_THAT((*dataset)->spec().fields[0].shape, ElementsAre(3, -1, -1));
  std::set<int> seen;
  const auto numbers = [&](Split split) {
    std::vector<int> found;
    for (int64_t i = 0; i < (*dataset)->size(split); ++i) {
      found.push_back(NumberOf(ReadOne(**dataset, split, i, 1)));
      const int number = found.back();
      EXPECT_EQ((*dataset)->labels(split)[i], number < 21 ? number / kPerClass : (number - 21) / 2);
      EXPECT_TRUE(seen.insert(number).second);
    }
    return found;
  };
  EXPECT_THAT(numbers(Split::kValidation), ElementsAre(3, 10, 17));  // the middle of each third
  const auto train = numbers(Split::kTrain);
  EXPECT_EQ(train.size(), 18u);
  EXPECT_TRUE(std::is_sorted(train.begin(), train.end()));
  EXPECT_THAT(numbers(Split::kTest), ElementsAre(21, 22, 23, 24, 25, 26));
}

// By hand: scaled to the shorter side, the centre, colours made comparable.
TEST(ImagefolderTest, EvaluatesTheCentre) {
  const auto dataset = MakeDataset("imagefolder", Small("evaluation"));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const Image image = DecodeImage("", Jpeg(22)).value();  // 62 x 38: 32 x 20
  std::vector<float> expected(3 * 16 * 16);
  ResizeBilinear(image, {0, 0, 62, 38}, 32, 20, {8, 2, 16, 16}, absl::MakeSpan(expected));
  const auto values = ReadOne(**dataset, Split::kTest, 1, 1);
  ASSERT_EQ(values.size(), expected.size());
  const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t colour = i / 256;
    EXPECT_NEAR(values[i], (expected[i] / 255 - mean[colour]) / deviation[colour], 1e-5);
  }
  EXPECT_EQ(ReadOne(**dataset, Split::kTest, 1, 2), values);
}

// Red rises to the right and green downward, as in the whole, unless mirrored.
TEST(ImagefolderTest, TrainsOnRandomParts) {
  const auto dataset = MakeDataset("imagefolder", Small("training"));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  std::set<std::vector<float>> different;
  int mirrored = 0;
  for (uint64_t stream = 0; stream < 400; ++stream) {
    const auto values = ReadOne(**dataset, Split::kTrain, 4, stream);
    ASSERT_EQ(values.size(), 3u * 12 * 12);
    different.insert(values);
    mirrored += values[0] > values[11];
    EXPECT_LT(values[144], values[144 + 11 * 12]);
  }
  EXPECT_GT(different.size(), 390u);
  EXPECT_NEAR(mirrored, 200, 50);  // five standard deviations
}

TEST(ImagefolderTest, EqualSidesMakeOneShape) {
  ImagefolderConfig config = Small("square");
  config.set_train_crop(16);
  const auto dataset = MakeDataset("imagefolder", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->spec().fields[0].shape, ElementsAre(3, 16, 16));
}

TEST(ImagefolderTest, FingerprintIsOfNamesAndSizes) {
  ImagefolderConfig config = Small("here");
  const uint64_t fingerprint = MakeDataset("imagefolder", config).value()->fingerprint();
  EXPECT_EQ(MakeDataset("imagefolder", Small("there")).value()->fingerprint(), fingerprint);
  WriteFile(config.dir() + "/val/cat/0.JPEG", Jpeg(1) + "x");
  EXPECT_NE(MakeDataset("imagefolder", config).value()->fingerprint(), fingerprint);
  config = Small("here");
  std::filesystem::rename(config.dir() + "/train/bee/1.jpg", config.dir() + "/train/bee/1b.jpg");
  EXPECT_NE(MakeDataset("imagefolder", config).value()->fingerprint(), fingerprint);
}

TEST(ImagefolderTest, ReadsPngAndIgnoresOtherFiles) {
  ImagefolderConfig config = Small("other");
  const Image image = Gradient(30, 30, 2);
  WriteFile(config.dir() + "/val/ant/0.JPEG", PngBytes(30, 30, PNG_FORMAT_RGB, image.pixels));
  WriteFile(config.dir() + "/val/ant/.hidden.jpg", "");
  WriteFile(config.dir() + "/val/ant/list.txt", "");
  WriteFile(config.dir() + "/val/README.md", "");
  const auto dataset = MakeDataset("imagefolder", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ((*dataset)->size(Split::kTest), 6);
  EXPECT_EQ(NumberOf(ReadOne(**dataset, Split::kTest, 0, 1)), 2);
}

TEST(ImagefolderTest, BrokenFilesAreNamedWhenRead) {
  ImagefolderConfig config = Small("broken");
  const std::string path = config.dir() + "/val/bee/1.jpg";
  WriteFile(path, Jpeg(24).substr(0, 500));
  const auto dataset = MakeDataset("imagefolder", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  Batch batch;
  const absl::Status status = (*dataset)->Read(Split::kTest, {2, 3}, 1, &batch);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path + " is a broken JPEG file: "));
}

TEST(ImagefolderTest, SaysWhatIsWrongWithADirectory) {
  ImagefolderConfig config = Small("wrong");
  const std::string directory = config.dir();
  std::filesystem::create_directory(directory + "/val/dog");
  EXPECT_EQ(MakeDataset("imagefolder", config).status(),
            absl::DataLossError("the class directory " + directory +
                                "/val/dog holds no image (.jpg, .jpeg or .png)"));
  WriteFile(directory + "/val/dog/0.jpg", Jpeg(1));
  EXPECT_EQ(MakeDataset("imagefolder", config).status(),
            absl::DataLossError(directory + "/val/dog is a class that train does not have"));
  std::filesystem::remove_all(directory + "/val");
  EXPECT_EQ(MakeDataset("imagefolder", config).status(),
            absl::NotFoundError("cannot read the directory " + directory +
                                "/val: No such file or directory"));
  std::filesystem::create_directory(directory + "/val");
  EXPECT_EQ(MakeDataset("imagefolder", config).status(),
            absl::DataLossError(directory + "/val holds 0 class directories; it must hold at least "
                                            "2, with images in them"));
}

TEST(ImagefolderTest, SaysWhatIsWrongWithAConfig) {
  ImagefolderConfig config = Small("config");
  config.set_eval_crop(21);
  EXPECT_EQ(MakeDataset("imagefolder", config).status(),
            absl::InvalidArgumentError("dataset \"imagefolder\": eval_crop is 21; it must be at "
                                       "most eval_resize, which is 20"));
  config = Small("config");
  config.set_expected_train_images(21);
  config.set_expected_val_images(7);
  EXPECT_EQ(MakeDataset("imagefolder", config).status(),
            absl::DataLossError("dataset \"imagefolder\": " + config.dir() +
                                " has 6 val_images, but expected_val_images is 7"));
}

TEST(ImagefolderTest, CanBePlannedWithWithoutItsFiles) {
  ImagefolderConfig config;
  config.set_dir("/nowhere/imagenet");
  const absl::Status missing = MakeDataset("imagefolder", config).status();
  EXPECT_EQ(missing,
            absl::NotFoundError("dataset \"imagefolder\": the directory /nowhere/imagenet "
                                "(dataset.config.dir) does not exist; put train/CLASS/* and "
                                "val/CLASS/* there"));
  config.set_expected_classes(10);
  config.set_expected_train_images(200);
  EXPECT_EQ(MakeDataset("imagefolder", config).status(), missing);
  config.set_expected_val_images(30);
  const auto dataset = MakeDataset("imagefolder", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(Split::kTrain), 198);
  EXPECT_EQ((*dataset)->size(Split::kValidation), 2);
  EXPECT_EQ((*dataset)->size(Split::kTest), 30);
  EXPECT_EQ((*dataset)->spec().classes, 10);
  EXPECT_EQ((*dataset)->labels(Split::kTest)[29], 9);
  EXPECT_EQ((*dataset)->Available(), missing);
  Batch batch;
  EXPECT_EQ((*dataset)->Read(Split::kTrain, {0}, 1, &batch), missing);
}

}  // namespace
}  // namespace starling
