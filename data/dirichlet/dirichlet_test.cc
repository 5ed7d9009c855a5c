#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/config/plugin_ref.pb.h"
#include "core/random/random.h"
#include "data/dirichlet/dirichlet.pb.h"
#include "data/partition_conformance.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::HasSubstr;

PluginRef Ref(double alpha, int64_t min_examples = 1) {
  DirichletConfig config;
  config.set_alpha(alpha);
  config.set_min_examples(min_examples);
  PluginRef ref;
  ref.set_name("dirichlet");
  ref.mutable_config()->PackFrom(config);
  return ref;
}

PluginRef Defaults() {
  PluginRef ref;
  ref.set_name("dirichlet");
  return ref;
}

INSTANTIATE_TEST_SUITE_P(Defaults, PartitionConformance, testing::Values(Defaults()),
                         PartitionCaseName);
INSTANTIATE_TEST_SUITE_P(NearlyAlike, PartitionConformance, testing::Values(Ref(100, 50)),
                         PartitionCaseName);

// Examples of each class that each worker owns, [worker][class].
std::vector<std::vector<int64_t>> Counts(const Assignment& assignment,
                                         const std::vector<int32_t>& labels, int64_t classes) {
  std::vector<std::vector<int64_t>> counts;
  for (const auto& owned : assignment.owned) {
    counts.emplace_back(classes, 0);
    for (int64_t example : owned) ++counts.back()[labels[example]];
  }
  return counts;
}

// The documented procedure once more, in as few words as possible.
TEST(DirichletTest, FollowsTheDocumentedProcedure) {
  const std::vector<int32_t> labels = {0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1};
  constexpr int kWorkers = 3;
  const auto assignment = Assign(Ref(2.0), kWorkers, /*seed=*/5, 12, labels, 2);
  ASSERT_TRUE(assignment.ok()) << assignment.status();

  std::vector<std::vector<int64_t>> expected;
  bool enough = false;
  for (int attempt = 0; !enough; ++attempt) {
    ASSERT_LT(attempt, 100);
    Random random(StreamKey(5, Purpose::kPartition, 0, attempt));
    expected.assign(kWorkers, {});
    for (int32_t c : {0, 1}) {
      std::vector<int64_t> ids;
      for (int64_t i = 0; i < 12; ++i) {
        if (labels[i] == c) ids.push_back(i);
      }
      random.Shuffle(absl::MakeSpan(ids));
      double g[kWorkers];
      for (double& value : g) value = random.Gamma(2.0);
      const double all = g[0] + g[1] + g[2];
      const double m = static_cast<double>(ids.size());
      const double cuts[] = {0, std::floor(m * (g[0] / all) + 0.5),
                             std::floor(m * (g[0] / all + g[1] / all) + 0.5), m};
      for (int worker = 0; worker < kWorkers; ++worker) {
        for (double i = cuts[worker]; i < cuts[worker + 1]; ++i) {
          expected[worker].push_back(ids[static_cast<int64_t>(i)]);
        }
      }
    }
    enough = true;
    for (auto& owned : expected) {
      enough = enough && !owned.empty();
      std::sort(owned.begin(), owned.end());
    }
  }
  EXPECT_EQ(assignment->owned, expected);
}

TEST(DirichletTest, SmallAlphaConcentratesAndLargeAlphaEvensOut) {
  constexpr int kWorkers = 5;
  constexpr int64_t kClasses = 10, kPerClass = 200;
  std::vector<int32_t> labels(kClasses * kPerClass);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % kClasses);
  const auto skewed = Assign(Ref(0.05), kWorkers, 1, labels.size(), labels, kClasses);
  const auto even = Assign(Ref(1e5), kWorkers, 1, labels.size(), labels, kClasses);
  ASSERT_TRUE(skewed.ok() && even.ok()) << skewed.status() << even.status();

  int64_t largest_shares = 0;  // of each class, the examples of the worker with the most
  const auto skewed_counts = Counts(*skewed, labels, kClasses);
  const auto even_counts = Counts(*even, labels, kClasses);
  for (int64_t c = 0; c < kClasses; ++c) {
    int64_t largest = 0;
    for (int worker = 0; worker < kWorkers; ++worker) {
      largest = std::max(largest, skewed_counts[worker][c]);
      EXPECT_NEAR(even_counts[worker][c], kPerClass / kWorkers, 3);
    }
    largest_shares += largest;
  }
  EXPECT_GT(largest_shares, kClasses * kPerClass * 8 / 10);
}

// The share of one worker in one class is Beta(alpha, (n - 1) alpha) distributed:
// mean 1 / n, variance (n - 1) / (n^2 (n alpha + 1)).
TEST(DirichletTest, SharesHaveTheMomentsOfTheDistribution) {
  constexpr int kWorkers = 4;
  constexpr int64_t kClasses = 2000, kPerClass = 100;
  constexpr double kAlpha = 0.5;
  std::vector<int32_t> labels(kClasses * kPerClass);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i / kPerClass);
  const auto assignment = Assign(Ref(kAlpha), kWorkers, 1, labels.size(), labels, kClasses);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  const auto counts = Counts(*assignment, labels, kClasses);
  for (int worker = 0; worker < kWorkers; ++worker) {
    double sum = 0, squares = 0;
    for (int64_t count : counts[worker]) {
      const double share = static_cast<double>(count) / kPerClass;
      sum += share;
      squares += share * share;
    }
    const double mean = sum / kClasses;
    // Four standard errors of 2000 draws: 4 * 0.25 / sqrt(2000) = 0.022.
    EXPECT_NEAR(mean, 0.25, 0.022) << "worker " << worker;
    EXPECT_NEAR(squares / kClasses - mean * mean, 3.0 / (16 * 3), 0.006) << "worker " << worker;
  }
}

TEST(DirichletTest, KeepsTheMinimum) {
  const std::vector<int32_t> labels = UnevenLabels(1000, 10);
  const auto assignment = Assign(Ref(0.3, 60), 8, 1, 1000, labels, 10);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  for (const auto& owned : assignment->owned) EXPECT_GE(owned.size(), 60u);
}

TEST(DirichletTest, TinyAlphaGivesWholeClassesInsteadOfNaN) {
  const std::vector<int32_t> labels = UnevenLabels(1000, 10);
  const auto assignment = Assign(Ref(1e-6), 2, 1, 1000, labels, 10);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  for (const auto& worker : Counts(*assignment, labels, 10)) {
    for (int64_t c = 0; c < 10; ++c) {
      const auto of_class = std::count(labels.begin(), labels.end(), static_cast<int32_t>(c));
      EXPECT_TRUE(worker[c] == 0 || worker[c] == of_class) << worker[c] << " of " << of_class;
    }
  }
}

TEST(DirichletTest, AnImpossibleMinimumIsAnErrorAtOnce) {
  const auto assignment = Assign(Ref(0.1, 101), 10, 1, 1000, UnevenLabels(1000, 10), 10);
  EXPECT_EQ(assignment.status(),
            absl::InvalidArgumentError(
                "partition \"dirichlet\": min_examples is 101, but 1000 examples are at most 100 "
                "for each of 10 workers"));
  EXPECT_FALSE(Assign(Ref(0.1, INT64_MAX), 10, 1, 1000, UnevenLabels(1000, 10), 10).ok());
}

TEST(DirichletTest, AnUnreachedMinimumSaysHowFarItGotAndWhatToChange) {
  const auto assignment = Assign(Ref(0.05, 100), 10, 1, 1000, UnevenLabels(1000, 10), 10);
  EXPECT_EQ(assignment.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(assignment.status().message()),
              testing::MatchesRegex(
                  "partition \"dirichlet\": with alpha = 0.05, none of 100 draws gave each of 10 "
                  "workers min_examples = 100 examples; the best gave the poorest worker [0-9]+. "
                  "Raise alpha, use fewer workers, or lower min_examples"));
}

TEST(DirichletTest, NeedsLabels) {
  const auto assignment = Assign(Defaults(), 2, 1, 10, {}, 0);
  EXPECT_EQ(assignment.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DirichletTest, RefusesAnAlphaThatIsNotPositive) {
  for (double alpha : {0.0, -1.0}) {
    const auto assignment = Assign(Ref(alpha), 2, 1, 4, {0, 1, 0, 1}, 2);
    EXPECT_THAT(std::string(assignment.status().message()), HasSubstr("it must be greater than 0"));
  }
}

}  // namespace
}  // namespace starling
