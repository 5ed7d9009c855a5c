#include "data/sampler.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::UnorderedElementsAreArray;

std::vector<int64_t> Copy(absl::Span<const int64_t> ids) { return {ids.begin(), ids.end()}; }

const Assignment& Shared() {
  static const Assignment* const assignment = new Assignment{/*shared=*/true, {}};
  return *assignment;
}

// Worker 0 owns 5 examples, worker 1 owns 2.
const Assignment& Uneven() {
  static const Assignment* const assignment =
      new Assignment{/*shared=*/false, {{0, 2, 4, 5, 6}, {1, 3}}};
  return *assignment;
}

TEST(SamplerTest, SharedEpochReadsEveryExampleAtMostOnceAndAsManyAsFit) {
  constexpr int64_t kExamples = 103, kBatch = 5;
  constexpr int kWorkers = 4;
  std::set<int64_t> seen;
  int64_t read = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    ExampleSampler sampler(&Shared(), kExamples, worker, kWorkers, kBatch, /*seed=*/1);
    ASSERT_EQ(sampler.steps_per_epoch(), 5);
    for (int64_t step = 0; step < 5; ++step) {
      for (int64_t id : sampler.Next(step)) {
        EXPECT_TRUE(id >= 0 && id < kExamples) << id;
        seen.insert(id);
        ++read;
      }
    }
  }
  EXPECT_EQ(read, 100);
  EXPECT_EQ(seen.size(), 100u);
}

TEST(SamplerTest, SharedGlobalBatchIsTheSameForAnyNumberOfWorkers) {
  ExampleSampler one(&Shared(), 50, 0, 1, 12, /*seed=*/3);
  for (int workers : {2, 3, 4, 6, 12}) {
    for (int64_t step : {0, 3, 4, 9}) {
      std::vector<int64_t> together;
      for (int worker = 0; worker < workers; ++worker) {
        ExampleSampler sampler(&Shared(), 50, worker, workers, 12 / workers, /*seed=*/3);
        const auto ids = sampler.Next(step);
        together.insert(together.end(), ids.begin(), ids.end());
      }
      EXPECT_EQ(together, Copy(one.Next(step))) << workers << " workers, step " << step;
    }
  }
}

TEST(SamplerTest, SharedEpochsDifferAndDropOtherExamples) {
  ExampleSampler sampler(&Shared(), 10, 0, 1, 8, /*seed=*/1);
  ASSERT_EQ(sampler.steps_per_epoch(), 1);
  std::set<int64_t> seen;
  const std::vector<int64_t> first = Copy(sampler.Next(0));
  EXPECT_NE(first, Copy(sampler.Next(1)));
  for (int64_t step = 0; step < 20; ++step) {
    for (int64_t id : sampler.Next(step)) seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(SamplerTest, OwnedExamplesAreReadOncePerPass) {
  for (int worker : {0, 1}) {
    const std::vector<int64_t>& own = Uneven().owned[worker];
    ExampleSampler sampler(&Uneven(), 7, worker, 2, /*local_batch_size=*/3, /*seed=*/1);
    EXPECT_EQ(sampler.steps_per_epoch(), 1);
    std::vector<int64_t> read;
    for (int64_t step = 0; step < 20; ++step) {
      const auto ids = sampler.Next(step);
      ASSERT_EQ(ids.size(), 3u);
      read.insert(read.end(), ids.begin(), ids.end());
    }
    std::set<std::vector<int64_t>> orders;
    for (size_t pass = 0; (pass + 1) * own.size() <= read.size(); ++pass) {
      const std::vector<int64_t> order(read.begin() + pass * own.size(),
                                       read.begin() + (pass + 1) * own.size());
      EXPECT_THAT(order, UnorderedElementsAreArray(own)) << "pass " << pass;
      orders.insert(order);
    }
    EXPECT_GT(orders.size(), 1u) << "every pass is in the same order";
  }
}

TEST(SamplerTest, EpochOfOwnedExamplesIsTheWholeDataSet) {
  EXPECT_EQ(ExampleSampler(&Uneven(), 7, 0, 2, 1, 1).steps_per_epoch(), 3);
  EXPECT_EQ(ExampleSampler(&Uneven(), 7, 1, 2, 100, 1).steps_per_epoch(), 1);  // never 0
}

TEST(SamplerTest, AnyStepMayBeAskedForInAnyOrder) {
  for (const Assignment* assignment : {&Shared(), &Uneven()}) {
    ExampleSampler forward(assignment, 7, 1, 2, 2, /*seed=*/9);
    std::map<int64_t, std::vector<int64_t>> by_step;
    for (int64_t step = 0; step < 30; ++step) by_step[step] = Copy(forward.Next(step));
    for (int64_t step : {29, 0, 13, 13, 12, 28, 1}) {
      EXPECT_EQ(Copy(forward.Next(step)), by_step[step]) << "the same sampler, step " << step;
      ExampleSampler resumed(assignment, 7, 1, 2, 2, /*seed=*/9);
      EXPECT_EQ(Copy(resumed.Next(step)), by_step[step]) << "a new sampler, step " << step;
    }
  }
}

TEST(SamplerTest, SeedChangesTheOrder) {
  for (const Assignment* assignment : {&Shared(), &Uneven()}) {
    std::vector<int64_t> orders[2];
    for (uint64_t seed : {0, 1}) {
      ExampleSampler sampler(assignment, 7, 0, 2, 1, seed);
      for (int64_t step = 0; step < 20; ++step) orders[seed].push_back(sampler.Next(step)[0]);
    }
    EXPECT_NE(orders[0], orders[1]);
  }
}

TEST(SamplerTest, FarStepsDoNotOverflow) {
  ExampleSampler sampler(&Uneven(), 7, 0, 2, 3, 1);
  EXPECT_EQ(sampler.Next(int64_t{1} << 60).size(), 3u);
}

TEST(SamplerDeathTest, RefusesASharedBatchThatTheExamplesDoNotFill) {
  EXPECT_DEATH(ExampleSampler(&Shared(), 7, 0, 2, 4, 1), "do not fill one global batch");
}

}  // namespace
}  // namespace starling
