#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "data/cifar10/cifar10.pb.h"
#include "data/data_directory.h"
#include "data/dataset_conformance.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr int64_t kPerFile = 12, kTrain = 5 * kPerFile, kSide = 32, kPlane = kSide * kSide;

int Label(int64_t number) { return static_cast<int>(number * 7 % 10); }

// The pixel of image `number`, different in every place and image; none is black.
uint8_t Pixel(int64_t number, int64_t colour, int64_t row, int64_t column) {
  return static_cast<uint8_t>(1 + (number * 31 + colour * 89 + row * 7 + column * 3) % 255);
}

std::string Records(int64_t first, int64_t count) {
  std::string bytes;
  for (int64_t number = first; number < first + count; ++number) {
    bytes.push_back(static_cast<char>(Label(number)));
    for (int64_t i = 0; i < 3 * kPlane; ++i) {
      bytes.push_back(static_cast<char>(Pixel(number, i / kPlane, i % kPlane / kSide, i % kSide)));
    }
  }
  return bytes;
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A directory of its own with images 0 to 59 to train and 60 to 71 to test; its path.
std::string SmallDirectory(const std::string& name) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/", name);
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (int file = 0; file < 5; ++file) {
    Write(absl::StrCat(directory, "/data_batch_", file + 1, ".bin"),
          Records(file * kPerFile, kPerFile));
  }
  Write(directory + "/test_batch.bin", Records(kTrain, kPerFile));
  return directory;
}

Cifar10Config Small(const std::string& name) {
  Cifar10Config config;
  config.set_dir(SmallDirectory(name));
  config.set_validation_examples(10);
  return config;
}

std::vector<float> ReadOne(const Dataset& dataset, Split split, int64_t example, uint64_t stream) {
  Batch batch;
  EXPECT_TRUE(dataset.Read(split, {example}, stream, &batch).ok());
  const auto values = batch.fields[0].buffer().as<float>();
  return {values.begin(), values.end()};
}

// Image `number`, seen so many pixels further down and to the right, with black around it.
std::vector<float> Expected(int64_t number, int64_t down, int64_t right, bool mirrored) {
  std::vector<float> values;
  for (int64_t colour = 0; colour < 3; ++colour) {
    for (int64_t row = down; row < down + kSide; ++row) {
      for (int64_t column = 0; column < kSide; ++column) {
        const int64_t at = right + (mirrored ? kSide - 1 - column : column);
        const bool black = row < 0 || row >= kSide || at < 0 || at >= kSide;
        values.push_back(static_cast<float>((black ? 0 : Pixel(number, colour, row, at)) / 255.0));
      }
    }
  }
  return values;
}

INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance,
                         testing::Values(DatasetCase{DatasetRef("cifar10", Small("conformance"))}),
                         DatasetCaseName);

TEST(Cifar10Test, SplitsAreInFileOrder) {
  Cifar10Config config = Small("splits");
  config.set_normalize(false);
  config.set_augment(false);
  const auto dataset = MakeDataset("cifar10", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->spec().fields[0].shape, (std::vector<int64_t>{3, 32, 32}));
  ASSERT_EQ((*dataset)->size(Split::kTrain), 50);
  ASSERT_EQ((*dataset)->size(Split::kValidation), 10);
  ASSERT_EQ((*dataset)->size(Split::kTest), 12);
  int64_t number = 0;
  for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    for (int64_t i = 0; i < (*dataset)->size(split); ++i, ++number) {
      EXPECT_EQ(ReadOne(**dataset, split, i, 1), Expected(number, 0, 0, false)) << number;
      EXPECT_EQ((*dataset)->labels(split)[i], Label(number));
    }
  }
}

TEST(Cifar10Test, NormalizesByColour) {
  Cifar10Config config = Small("normalize");
  config.set_augment(false);
  const auto dataset = MakeDataset("cifar10", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto values = ReadOne(**dataset, Split::kTrain, 2, 1);
  const double mean[] = {0.4914, 0.4822, 0.4465}, deviation[] = {0.2470, 0.2435, 0.2616};
  for (int colour = 0; colour < 3; ++colour) {
    EXPECT_EQ(
        values[colour * kPlane],
        static_cast<float>((Pixel(2, colour, 0, 0) / 255.0 - mean[colour]) / deviation[colour]));
  }
}

// Every shift and mirroring is as likely as any other, and nothing else happens.
TEST(Cifar10Test, AugmentsTrainingImagesOnly) {
  Cifar10Config config = Small("augment");
  config.set_normalize(false);
  const auto dataset = MakeDataset("cifar10", config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  std::map<std::vector<float>, int> views;  // of image 5
  for (int down = -4; down <= 4; ++down) {
    for (int right = -4; right <= 4; ++right) {
      for (bool mirrored : {false, true}) views[Expected(5, down, right, mirrored)] = 0;
    }
  }
  ASSERT_EQ(views.size(), 162u);
  for (uint64_t stream = 0; stream < 16200; ++stream) {
    const auto view = views.find(ReadOne(**dataset, Split::kTrain, 5, stream));
    ASSERT_NE(view, views.end()) << "stream " << stream;
    ++view->second;
  }
  for (const auto& [view, times] : views) {
    EXPECT_NEAR(times, 100, 50);  // five standard deviations
  }
  for (uint64_t stream : {1, 2, 3}) {
    EXPECT_EQ(ReadOne(**dataset, Split::kValidation, 5, stream), Expected(55, 0, 0, false));
    EXPECT_EQ(ReadOne(**dataset, Split::kTest, 5, stream), Expected(65, 0, 0, false));
  }
}

TEST(Cifar10Test, FingerprintIsOfWhatIsRead) {
  const auto a = MakeDataset("cifar10", Small("here")), b = MakeDataset("cifar10", Small("there"));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ((*a)->fingerprint(), (*b)->fingerprint());
  Cifar10Config config = Small("here");
  config.set_augment(false);
  EXPECT_NE(MakeDataset("cifar10", config).value()->fingerprint(), (*a)->fingerprint());
  config = Small("here");
  Write(config.dir() + "/test_batch.bin", Records(kTrain + 1, kPerFile));
  EXPECT_NE(MakeDataset("cifar10", config).value()->fingerprint(), (*a)->fingerprint());
}

TEST(Cifar10Test, NamesWhatIsMissingOrBroken) {
  Cifar10Config config;
  config.set_dir("/nowhere/cifar");
  EXPECT_EQ(MakeDataset("cifar10", config).status(),
            absl::NotFoundError(
                "dataset \"cifar10\": the directory /nowhere/cifar (dataset.config.dir) does not "
                "exist; download and unpack "
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (170 MB)"));
  config = Small("broken");
  const std::string file = config.dir() + "/data_batch_3.bin";
  Write(file, Records(24, 2).substr(0, 3073 + 100));
  EXPECT_EQ(MakeDataset("cifar10", config).status(),
            absl::DataLossError(file + " holds 3173 bytes; it must hold records of 3073 bytes, at "
                                       "least one"));
  std::string records = Records(24, 2);
  records[3073] = 10;
  Write(file, records);
  EXPECT_EQ(MakeDataset("cifar10", config).status(),
            absl::DataLossError(file + ": label 1 is 10; labels are 0 to 9"));
  std::filesystem::remove(file);
  EXPECT_EQ(MakeDataset("cifar10", config).status(),
            absl::NotFoundError("cannot read " + file + ": No such file or directory"));
}

TEST(Cifar10Test, KeepsAtLeastOneTrainingImage) {
  Cifar10Config config = Small("validation");
  config.set_validation_examples(kTrain);
  EXPECT_EQ(MakeDataset("cifar10", config).status(),
            absl::InvalidArgumentError(absl::StrCat(
                "dataset \"cifar10\": validation_examples is 60; it must be less than the 60 "
                "training images in ",
                config.dir())));
}

// 50,000 + 10,000 images, every class equally often in each.
TEST(Cifar10Test, ReadsTheRealFiles) {
  Cifar10Config config;
  config.set_normalize(false);
  config.set_augment(false);
  config.set_validation_examples(0);
  const auto dataset = MakeDataset("cifar10", config);
  if (absl::IsNotFound(dataset.status())) GTEST_SKIP() << dataset.status().message();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  for (const auto& [split, each] : {std::pair(Split::kTrain, 5000), {Split::kTest, 1000}}) {
    std::vector<int64_t> examples(10, 0);
    for (int32_t label : (*dataset)->labels(split)) ++examples[label];
    EXPECT_EQ(examples, std::vector<int64_t>(10, each));
  }
  double sum[3] = {}, squares[3] = {};
  Batch batch;
  for (int64_t id = 0; id < 50000; ++id) {
    ASSERT_TRUE((*dataset)->Read(Split::kTrain, {id}, 0, &batch).ok());
    const auto values = batch.fields[0].buffer().as<float>();
    for (int64_t i = 0; i < 3 * kPlane; ++i) {
      sum[i / kPlane] += values[i];
      squares[i / kPlane] += static_cast<double>(values[i]) * values[i];
    }
  }
  const double means[] = {0.4914, 0.4822, 0.4465}, deviations[] = {0.2470, 0.2435, 0.2616};
  for (int colour = 0; colour < 3; ++colour) {
    const double mean = sum[colour] / (50000.0 * kPlane);
    EXPECT_NEAR(mean, means[colour], 6e-5);
    EXPECT_NEAR(std::sqrt(squares[colour] / (50000.0 * kPlane) - mean * mean), deviations[colour],
                6e-5);
  }
}

}  // namespace
}  // namespace starling
