#include "data/token_sampler.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "core/random/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr int64_t kExamples = 400, kTokens = 60;

// Lengths 2 to 31.
std::vector<int32_t> Costs() {
  std::vector<int32_t> costs;
  Random random(StreamKey(7, Purpose::kTest, 0, 0));
  for (int64_t i = 0; i < kExamples; ++i) {
    costs.push_back(static_cast<int32_t>(2 + random.Below(30)));
  }
  return costs;
}

Assignment Shared() { return {/*shared=*/true, {}}; }

// Worker 0 owns most.
Assignment Uneven() {
  Assignment assignment{/*shared=*/false, {{}, {}, {}}};
  for (int64_t i = 0; i < kExamples; ++i)
    assignment.owned[i % 8 == 0 ? 1 : i % 8 == 1 ? 2 : 0].push_back(i);
  return assignment;
}

std::vector<int64_t> Copy(absl::Span<const int64_t> ids) { return {ids.begin(), ids.end()}; }

TEST(TokenSamplerTest, ASharedEpochReadsEveryExampleOnceButForFewBatches) {
  const auto costs = Costs();
  const Assignment assignment = Shared();
  constexpr int kWorkers = 4;
  for (int64_t epoch : {0, 1}) {
    std::set<int64_t> seen;
    int64_t read = 0, steps = 0;
    for (int worker = 0; worker < kWorkers; ++worker) {
      TokenSampler sampler(&assignment, costs, worker, kWorkers, kTokens, /*seed=*/1);
      steps = sampler.steps_per_epoch();
      for (int64_t step = epoch * steps; step < (epoch + 1) * steps; ++step) {
        for (int64_t id : sampler.Next(step)) {
          seen.insert(id);
          ++read;
        }
      }
    }
    EXPECT_GT(steps, 10);
    EXPECT_EQ(static_cast<int64_t>(seen.size()), read);
    EXPECT_GT(read, kExamples - kWorkers * kTokens / 2);
    EXPECT_LE(read, kExamples);
  }
}

TEST(TokenSamplerTest, BatchesAreFullAndOfSimilarLength) {
  const auto costs = Costs();
  const Assignment assignment = Shared();
  TokenSampler sampler(&assignment, costs, 0, 1, kTokens, /*seed=*/1);
  int64_t tokens = 0, padded = 0;
  for (int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    const auto ids = sampler.Next(step);
    ASSERT_FALSE(ids.empty());
    int64_t longest = 0;
    for (int64_t id : ids) {
      longest = std::max<int64_t>(longest, costs[id]);
      tokens += costs[id];
    }
    const int64_t size = longest * static_cast<int64_t>(ids.size());
    EXPECT_LE(size, kTokens);
    padded += size;
  }
  EXPECT_GT(padded, 0.75 * kTokens * sampler.steps_per_epoch());
  EXPECT_GT(tokens, 0.95 * padded);  // a twentieth is padding
}

TEST(TokenSamplerTest, EveryEpochDrawsAnew) {
  const auto costs = Costs();
  const Assignment assignment = Shared();
  TokenSampler sampler(&assignment, costs, 0, 3, kTokens, /*seed=*/1);
  const int64_t steps = sampler.steps_per_epoch();
  std::set<std::set<int64_t>> batches;
  std::set<int64_t> seen;
  for (int64_t step = 0; step < 20 * steps; ++step) {
    const auto ids = sampler.Next(step);
    batches.emplace(ids.begin(), ids.end());
    seen.insert(ids.begin(), ids.end());
  }
  EXPECT_GT(static_cast<int64_t>(batches.size()), 10 * steps);
  EXPECT_EQ(static_cast<int64_t>(seen.size()), kExamples);
  EXPECT_NE(Copy(sampler.Next(0)),
            Copy(TokenSampler(&assignment, costs, 0, 3, kTokens, 2).Next(0)));
}

TEST(TokenSamplerTest, OwnedExamplesAreReadOncePerPass) {
  const auto costs = Costs();
  const Assignment assignment = Uneven();
  for (int worker = 0; worker < 3; ++worker) {
    TokenSampler sampler(&assignment, costs, worker, 3, kTokens, /*seed=*/1);
    EXPECT_EQ(sampler.steps_per_epoch(),
              TokenSampler(&assignment, costs, 0, 3, kTokens, 1).steps_per_epoch());
    int64_t step = 0;
    for (int pass = 0; pass < 3; ++pass) {
      std::vector<int64_t> read;
      while (read.size() < assignment.owned[worker].size()) {
        const auto ids = sampler.Next(step++);
        read.insert(read.end(), ids.begin(), ids.end());
      }
      EXPECT_THAT(read, testing::UnorderedElementsAreArray(assignment.owned[worker]));
    }
  }
}

TEST(TokenSamplerTest, AnyStepMayBeAskedForInAnyOrder) {
  const auto costs = Costs();
  for (const Assignment& assignment : {Shared(), Uneven()}) {
    TokenSampler forward(&assignment, costs, 1, 3, kTokens, /*seed=*/9);
    std::map<int64_t, std::vector<int64_t>> by_step;
    for (int64_t step = 0; step < 90; ++step) by_step[step] = Copy(forward.Next(step));
    for (int64_t step : {89, 0, 44, 44, 13, 88, 1}) {
      EXPECT_EQ(Copy(forward.Next(step)), by_step[step]) << "the same sampler, step " << step;
      TokenSampler resumed(&assignment, costs, 1, 3, kTokens, /*seed=*/9);
      EXPECT_EQ(Copy(resumed.Next(step)), by_step[step]) << "a new sampler, step " << step;
    }
  }
}

TEST(TokenSamplerTest, FewerBatchesThanWorkersAreNoStep) {
  const std::vector<int32_t> costs = {5, 5, 5};
  const Assignment assignment = Shared();
  EXPECT_EQ(TokenSampler(&assignment, costs, 0, 4, 5, 1).steps_per_epoch(), 0);
  EXPECT_EQ(TokenSampler(&assignment, costs, 0, 3, 5, 1).steps_per_epoch(), 1);
  EXPECT_EQ(TokenSampler(&assignment, costs, 0, 1, 14, 1).steps_per_epoch(), 2);
}

TEST(TokenSamplerDeathTest, RefusesAnExampleThatFitsNoBatch) {
  const std::vector<int32_t> costs = {5, 6};
  const Assignment assignment = Shared();
  EXPECT_DEATH(TokenSampler(&assignment, costs, 0, 1, 5, 1), "example 1 has 6 tokens, a batch 5");
}

}  // namespace
}  // namespace starling
