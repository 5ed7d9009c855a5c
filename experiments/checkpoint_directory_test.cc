#include "experiments/checkpoint_directory.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Two workers with a number each.
void Save(const CheckpointDirectory& directory, int64_t step, bool commit = true) {
  CHECK_OK(directory.Begin(step));
  CheckpointManifest manifest;
  manifest.step = step;
  manifest.workers = 2;
  manifest.config = "name: \"x\"\n";
  manifest.data = "0123456789abcdef";
  manifest.partition = "fedcba9876543210";
  manifest.metrics = {{"jsonl", "17"}};
  double value = static_cast<double>(step);
  const TensorMap tensors = {{"x", {{1}, AsBuffer(absl::MakeSpan(&value, 1))}}};
  for (const std::string& file :
       {WorkerFile(0), WorkerFile(1), std::string(kAverageFile), std::string(kRecordFile)}) {
    const auto checksum = WriteSafetensors(directory.Path(step, file), tensors, {});
    CHECK_OK(checksum);
    manifest.checksums[file] = *checksum;
  }
  if (commit) CHECK_OK(directory.Commit(manifest));
}

// Reads and checks everything.
absl::Status Check(const CheckpointDirectory& directory, int64_t step) {
  const auto manifest = directory.ReadManifest(step);
  return manifest.ok() ? directory.CheckFiles(*manifest) : manifest.status();
}

// Only the file at this path, and the manifest.
absl::Status Check(const CheckpointDirectory& directory, int64_t step, const std::string& path) {
  const auto manifest = directory.ReadManifest(step);
  if (!manifest.ok()) return manifest.status();
  return directory.OpenFile(*manifest, fs::path(path).filename().string()).status();
}

TEST(CheckpointDirectoryTest, ComesBackAsItWas) {
  const std::string run = NewDirectory();
  const CheckpointDirectory directory(run);
  EXPECT_THAT(directory.Steps(), IsEmpty());
  Save(directory, 200);
  EXPECT_THAT(directory.Steps(), ElementsAre(200));
  EXPECT_EQ(*ReadFile(run + "/checkpoints/last_checkpoint"), "step_000200\n");
  EXPECT_TRUE(fs::exists(run + "/checkpoints/step_000200/worker_1.safetensors"));
  const auto manifest = directory.ReadManifest(200);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->step, 200);
  EXPECT_EQ(manifest->workers, 2);
  EXPECT_EQ(manifest->config, "name: \"x\"\n");
  EXPECT_EQ(manifest->metrics.at("jsonl"), "17");
  EXPECT_EQ(manifest->checksums.size(), 4u);
  const auto file = directory.OpenFile(*manifest, WorkerFile(1));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->tensors().at("x").values.as<double>(), ElementsAre(200));
  EXPECT_EQ(directory.CheckFiles(*manifest), absl::OkStatus());
}

TEST(CheckpointDirectoryTest, NamesOfSteps) {
  const CheckpointDirectory directory("run");
  EXPECT_EQ(directory.Path(7), "run/checkpoints/step_000007");
  EXPECT_EQ(CheckpointDirectory::StepOf("run/checkpoints/step_000007"), 7);
  EXPECT_EQ(CheckpointDirectory::StepOf("run/checkpoints/step_000007/"), 7);
  EXPECT_EQ(CheckpointDirectory::StepOf(directory.Path(12345678)), 12345678);
  for (const char* other : {"run", "step_7", "step_0000007", "step_", "step_-00001", ""}) {
    EXPECT_EQ(CheckpointDirectory::StepOf(other), -1) << other;
  }
}

TEST(CheckpointDirectoryTest, OnlyWhatIsCommittedCounts) {
  const CheckpointDirectory directory(NewDirectory());
  Save(directory, 10);
  Save(directory, 20, /*commit=*/false);
  EXPECT_THAT(directory.Steps(), ElementsAre(10));
  EXPECT_EQ(directory.ReadManifest(20).status(),
            absl::DataLossError(directory.Path(20, "manifest.json") + " is missing"));
}

TEST(CheckpointDirectoryTest, PrunesTheOldest) {
  const CheckpointDirectory directory(NewDirectory());
  for (int64_t step : {5, 10, 15, 20}) Save(directory, step);
  Save(directory, 25, /*commit=*/false);  // somebody writes it
  EXPECT_EQ(directory.Prune(2), absl::OkStatus());
  EXPECT_THAT(directory.Steps(), ElementsAre(20, 15));
  EXPECT_FALSE(fs::exists(directory.Path(10)));
  EXPECT_TRUE(fs::exists(directory.Path(25)));
  EXPECT_EQ(directory.Prune(5), absl::OkStatus());
  EXPECT_THAT(directory.Steps(), ElementsAre(20, 15));
}

TEST(CheckpointDirectoryTest, RemovesWhatIsNewerAndWhatNeverCounted) {
  const CheckpointDirectory directory(NewDirectory());
  for (int64_t step : {5, 10, 15}) Save(directory, step);
  Save(directory, 7, /*commit=*/false);
  EXPECT_EQ(directory.RemoveAfter(10), absl::OkStatus());
  EXPECT_THAT(directory.Steps(), ElementsAre(10, 5));
  EXPECT_FALSE(fs::exists(directory.Path(7)));
  EXPECT_FALSE(fs::exists(directory.Path(15)));
}

class DamageTest : public testing::Test {
 protected:
  DamageTest() : directory_(NewDirectory()) {
    Save(directory_, 3);
    for (const auto& entry : fs::directory_iterator(directory_.Path(3))) {
      files_.push_back(entry.path().string());
    }
    CHECK_EQ(files_.size(), 5u);
  }

  // Damaged, the checkpoint is refused in one sentence that names the file.
  void ExpectRefused(const std::string& file, const std::string& what) {
    const absl::Status status = Check(directory_, 3, file);
    EXPECT_TRUE(absl::IsDataLoss(status)) << file << " " << what << ": " << status;
    const std::string message(status.message());
    EXPECT_THAT(message, StartsWith(file));
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }

  static void Put(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  }

  const CheckpointDirectory directory_;
  std::vector<std::string> files_;
};

TEST_F(DamageTest, EveryFlippedBitIsDetected) {
  for (const std::string& file : files_) {
    const std::string whole = *ReadFile(file);
    for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string bytes = whole;
      bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
      Put(file, bytes);
      ExpectRefused(file, absl::StrCat("bit ", bit));
    }
    Put(file, whole);
  }
  EXPECT_EQ(Check(directory_, 3), absl::OkStatus());
}

TEST_F(DamageTest, EveryTruncationAndEveryMissingFileIsDetected) {
  for (const std::string& file : files_) {
    const std::string whole = *ReadFile(file);
    for (size_t length = 0; length < whole.size(); ++length) {
      Put(file, whole.substr(0, length));
      ExpectRefused(file, absl::StrCat("of ", length, " bytes"));
    }
    Put(file, whole + "x");
    ExpectRefused(file, "and more");
    EXPECT_TRUE(absl::IsDataLoss(Check(directory_, 3)));  // whichever file it is
    fs::remove(file);
    ExpectRefused(file, "missing");
    Put(file, whole);
  }
  EXPECT_EQ(Check(directory_, 3), absl::OkStatus());
}

TEST_F(DamageTest, AnotherCheckpointsFileIsDetected) {
  Save(directory_, 4);
  fs::copy_file(directory_.Path(4, WorkerFile(1)), directory_.Path(3, WorkerFile(1)),
                fs::copy_options::overwrite_existing);
  ExpectRefused(directory_.Path(3, WorkerFile(1)), "of step 4");
  Save(directory_, 3);
  fs::copy_file(directory_.Path(4, "manifest.json"), directory_.Path(3, "manifest.json"),
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(Check(directory_, 3),
            absl::DataLossError(directory_.Path(3, "manifest.json") + " is that of step 4"));
}

}  // namespace
}  // namespace starling
