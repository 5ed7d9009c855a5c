#include "experiments/batch_loader.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "data/dataset.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr int64_t kSteps = 20;
constexpr int64_t kMissing = 13;  // cannot be read
constexpr int kParts = 2;

// Batches of different sizes, the largest in step 1.
int64_t ExamplesOf(int64_t step) { return step == 1 ? 5 : 1 + step % 3; }

std::vector<float> ImagesOf(int64_t step, int part) {
  std::vector<float> images;
  for (int64_t i = 0; i < 7 * ExamplesOf(step); ++i) {
    images.push_back(static_cast<float>(1000 * step + 100 * part + i));
  }
  return images;
}

std::vector<int64_t> LabelsOf(int64_t step, int part) {
  return std::vector<int64_t>(ExamplesOf(step), 10 * step + part);
}

// Reads, and writes down what and on which thread and card.
class Reader {
 public:
  absl::Status Read(int64_t step, int part, Batch* batch) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      read_.push_back(absl::StrCat(step, ".", part));
      card_ = LinkedDevice()->CurrentCard();
      thread_ = std::this_thread::get_id();
      changed_.notify_all();
      changed_.wait(lock, [this] { return read_.size() <= closed_from_; });
    }
    if (step == kMissing) return absl::NotFoundError("no such file");
    batch->size = ExamplesOf(step);
    const auto images = ReserveField(batch, 0, batch->size, {7}, DType::kF32).as<float>();
    const auto labels = ReserveField(batch, 1, batch->size, {}, DType::kI64).as<int64_t>();
    const std::vector<float> all = ImagesOf(step, part);
    std::copy(all.begin(), all.end(), images.begin());
    std::fill(labels.begin(), labels.end(), LabelsOf(step, part)[0]);
    return absl::OkStatus();
  }

  std::unique_ptr<BatchLoader> Loader(Place place, int64_t steps = kSteps) {
    auto loader = BatchLoader::Create(
        [this](int64_t step, int part, Batch* batch) { return Read(step, part, batch); }, kParts,
        steps, place);
    CHECK_OK(loader);
    return *std::move(loader);
  }

  // Reading waits as long as so many batches or more have been read.
  void SetClosedFrom(size_t count) {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_from_ = count;
    changed_.notify_all();
  }

  // Waits until reading of so many batches has begun.
  void AwaitReads(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return read_.size() >= count; });
  }

  std::vector<std::string> read() {
    std::lock_guard<std::mutex> lock(mutex_);
    return read_;
  }
  int card() const { return card_; }
  std::thread::id thread() const { return thread_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t closed_from_ = 100;
  std::vector<std::string> read_;
  int card_ = -1;
  std::thread::id thread_;
};

// What a worker on the device does with a batch: work in its queue, whose results it sees later.
class Consumer {
 public:
  Consumer() : queue_(*OwnedQueue::New()), scope_(queue_.get()) {}

  void Use(BatchLoader* loader, int64_t step, int part) {
    const auto batch = loader->Next(step, part);
    ASSERT_EQ(batch.status(), absl::OkStatus());
    ASSERT_EQ((*batch)->size, ExamplesOf(step));
    ASSERT_EQ((*batch)->fields.size(), 2u);
    EXPECT_EQ((*batch)->fields[0].shape, std::vector<int64_t>({ExamplesOf(step), 7}));
    EXPECT_EQ((*batch)->fields[1].shape, std::vector<int64_t>({ExamplesOf(step)}));
    Kept kept{step, part, {}, {}};
    for (int f = 0; f < 2; ++f) {
      const Buffer values = (*batch)->fields[f].buffer();
      ASSERT_EQ(values.place, Place::kDevice);
      (f == 0 ? kept.images : kept.labels) = Arena(values.count, values.type);
      ops::Copy(values, (f == 0 ? kept.images : kept.labels).buffer());
    }
    kept_.push_back(std::move(kept));
  }

  // Everything that was used was what it had to be.
  void ExpectRight() {
    ASSERT_EQ(LinkedDevice()->Wait(queue_.get()), absl::OkStatus());
    for (const Kept& kept : kept_) {
      SCOPED_TRACE(absl::StrCat("step ", kept.step, ", part ", kept.part));
      const auto images = kept.images.buffer().as<float>();
      const auto labels = kept.labels.buffer().as<int64_t>();
      EXPECT_EQ(std::vector<float>(images.begin(), images.end()), ImagesOf(kept.step, kept.part));
      EXPECT_EQ(std::vector<int64_t>(labels.begin(), labels.end()), LabelsOf(kept.step, kept.part));
    }
  }

 private:
  struct Kept {
    int64_t step;
    int part;
    Arena images, labels;
  };

  OwnedQueue queue_;
  QueueScope scope_;
  std::vector<Kept> kept_;
};

TEST(BatchLoader, OnTheHostReadsWhatIsAskedForWhenItIsAskedFor) {
  Reader reader;
  const auto loader = reader.Loader(Place::kHost);
  EXPECT_TRUE(reader.read().empty());
  for (int part = 0; part < kParts; ++part) {
    const auto batch = loader->Next(1, part);
    ASSERT_EQ(batch.status(), absl::OkStatus());
    const auto images = (*batch)->fields[0].buffer().as<float>();
    EXPECT_EQ(std::vector<float>(images.begin(), images.end()), ImagesOf(1, part));
  }
  EXPECT_EQ(reader.read(), std::vector<std::string>({"1.0", "1.1"}));
  EXPECT_EQ(reader.thread(), std::this_thread::get_id());
}

TEST(BatchLoader, BatchesOfADeviceAreWhatWasReadInOrder) {
  Reader reader;
  Consumer consumer;
  const auto loader = reader.Loader(Place::kDevice, 10);
  std::vector<std::string> all;
  for (int64_t step = 0; step < 10; ++step) {
    for (int part = 0; part < kParts; ++part) {
      consumer.Use(loader.get(), step, part);
      all.push_back(absl::StrCat(step, ".", part));
    }
  }
  consumer.ExpectRight();
  EXPECT_EQ(reader.read(), all);  // each once, and nothing beyond the last step
  EXPECT_NE(reader.thread(), std::this_thread::get_id());
}

TEST(BatchLoader, ReadsTheNextBatchBeforeItIsAskedFor) {
  Reader reader;
  Consumer consumer;
  const auto loader = reader.Loader(Place::kDevice);
  consumer.Use(loader.get(), 0, 1);
  reader.AwaitReads(2);
  EXPECT_EQ(reader.read(), std::vector<std::string>({"0.1", "1.0"}));
}

TEST(BatchLoader, WhatIsNotAskedForIsDropped) {
  Reader reader;
  Consumer consumer;
  const auto loader = reader.Loader(Place::kDevice);
  consumer.Use(loader.get(), 0, 0);
  consumer.Use(loader.get(), 4, 0);  // as one that was away
  consumer.Use(loader.get(), 4, 1);
  consumer.Use(loader.get(), 4, 1);
  consumer.Use(loader.get(), 1, 0);
  consumer.Use(loader.get(), kSteps - 1, kParts - 1);  // the last of all
  consumer.Use(loader.get(), 0, 0);
  consumer.ExpectRight();
}

TEST(BatchLoader, ErrorsAreThoseOfTheReader) {
  for (Place place : {Place::kHost, Place::kDevice}) {
    Reader reader;
    const auto loader = reader.Loader(place);
    ASSERT_TRUE(loader->Next(kMissing - 1, 0).ok());
    ASSERT_TRUE(loader->Next(kMissing - 1, 1).ok());  // what comes next may have failed by now
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(loader->Next(kMissing, 0).status(), absl::NotFoundError("no such file"));
    }
    const auto after = loader->Next(kMissing + 1, 0);
    ASSERT_EQ(after.status(), absl::OkStatus());
    EXPECT_EQ((*after)->size, ExamplesOf(kMissing + 1));
  }
}

TEST(BatchLoader, AfterAnErrorBatchesAreRight) {
  Reader reader;
  Consumer consumer;
  const auto loader = reader.Loader(Place::kDevice);
  consumer.Use(loader.get(), kMissing - 1, 1);
  EXPECT_FALSE(loader->Next(kMissing, 0).ok());
  consumer.Use(loader.get(), kMissing + 1, 0);
  consumer.Use(loader.get(), kMissing + 1, 1);
  consumer.ExpectRight();
}

TEST(BatchLoader, UsesTheCardOfTheThreadThatMadeIt) {
  ASSERT_EQ(LinkedDevice()->UseCard(1), absl::OkStatus());
  Reader reader;
  {
    const auto loader = reader.Loader(Place::kDevice);
    ASSERT_TRUE(loader->Next(0, 0).ok());
  }
  EXPECT_EQ(reader.card(), 1);
  ASSERT_EQ(LinkedDevice()->UseCard(0), absl::OkStatus());
}

TEST(BatchLoader, EndsWhileItReads) {
  Reader reader;
  Consumer consumer;
  auto loader = reader.Loader(Place::kDevice);
  consumer.Use(loader.get(), 0, 0);
  reader.SetClosedFrom(2);
  consumer.Use(loader.get(), 0, 1);
  reader.AwaitReads(3);  // the third is held up
  std::thread opener([&] { reader.SetClosedFrom(100); });
  loader.reset();
  opener.join();
  consumer.ExpectRight();
}

TEST(BatchLoader, EndsWithoutHavingRead) {
  Reader reader;
  reader.Loader(Place::kDevice).reset();
  EXPECT_TRUE(reader.read().empty());
}

}  // namespace
}  // namespace starling
