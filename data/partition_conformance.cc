#include "data/partition_conformance.h"

#include <algorithm>
#include <utility>

#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "gmock/gmock.h"

namespace starling {
namespace {

using testing::HasSubstr;

constexpr int64_t kExamples = 1100, kClasses = 10;

const std::vector<int32_t>& Labels() {
  static const auto* const labels = new std::vector<int32_t>(UnevenLabels(kExamples, kClasses));
  return *labels;
}

absl::StatusOr<Assignment> AssignLabelled(const PluginRef& ref, int workers, uint64_t seed) {
  return Assign(ref, workers, seed, kExamples, Labels(), kClasses);
}

// Shared, or every example owned exactly once and every worker an owner.
void ExpectCovers(const Assignment& assignment, int workers, int64_t examples) {
  if (assignment.shared) {
    EXPECT_TRUE(assignment.owned.empty());
    return;
  }
  ASSERT_EQ(static_cast<int>(assignment.owned.size()), workers);
  std::vector<int> owners(examples, 0);
  for (const std::vector<int64_t>& owned : assignment.owned) {
    EXPECT_FALSE(owned.empty());
    EXPECT_TRUE(std::is_sorted(owned.begin(), owned.end()));
    for (int64_t example : owned) {
      ASSERT_TRUE(example >= 0 && example < examples) << example;
      ++owners[example];
    }
  }
  EXPECT_EQ(std::count(owners.begin(), owners.end(), 1), examples);
}

}  // namespace

std::string PartitionCaseName(const testing::TestParamInfo<PluginRef>& info) {
  return info.param.name();
}

absl::StatusOr<Assignment> Assign(const PluginRef& ref, int workers, uint64_t seed,
                                  int64_t examples, absl::Span<const int32_t> labels,
                                  int64_t classes) {
  Partition::Context context;
  context.workers = workers;
  context.seed = seed;
  context.examples = examples;
  context.labels = labels;
  context.classes = classes;
  ASSIGN_OR_RETURN(const auto partition, Registry<Partition>::Global().Create(ref, context));
  return partition->Assign();
}

std::vector<int32_t> UnevenLabels(int64_t examples, int64_t classes) {
  std::vector<int32_t> labels;
  while (static_cast<int64_t>(labels.size()) < examples) {
    for (int32_t c = 0; c < classes; ++c) labels.insert(labels.end(), c + 1, c);
  }
  labels.resize(examples);
  Random(StreamKey(1, Purpose::kTest, 0, 0)).Shuffle(absl::MakeSpan(labels));
  return labels;
}

TEST_P(PartitionConformance, EveryExampleHasOneOwnerAndEveryWorkerAnExample) {
  for (int workers = 1; workers <= 9; ++workers) {
    const auto assignment = AssignLabelled(GetParam(), workers, 1);
    ASSERT_TRUE(assignment.ok()) << assignment.status();
    ExpectCovers(*assignment, workers, kExamples);
  }
}

TEST_P(PartitionConformance, SeedAloneDecides) {
  for (int workers = 1; workers <= 9; ++workers) {
    const auto first = AssignLabelled(GetParam(), workers, 1);
    const auto again = AssignLabelled(GetParam(), workers, 1);
    const auto other = AssignLabelled(GetParam(), workers, 2);
    ASSERT_TRUE(first.ok() && again.ok() && other.ok());
    EXPECT_EQ(Fingerprint(*first), Fingerprint(*again));
    EXPECT_EQ(first->owned, again->owned);
    if (workers == 1 || first->shared) continue;  // nothing to draw
    EXPECT_NE(Fingerprint(*first), Fingerprint(*other));
    EXPECT_NE(first->owned, other->owned);
  }
}

TEST_P(PartitionConformance, WithoutLabelsWorksOrSaysWhy) {
  const auto assignment = Assign(GetParam(), 3, 1, kExamples, {}, 0);
  if (assignment.ok()) {
    ExpectCovers(*assignment, 3, kExamples);
  } else {
    EXPECT_EQ(assignment.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(assignment.status().message()), HasSubstr("labels"));
  }
}

TEST_P(PartitionConformance, RefusesMoreWorkersThanExamplesUnlessShared) {
  const auto assignment = Assign(GetParam(), 4, 1, 3, {0, 1, 0}, 2);
  if (assignment.ok()) {
    EXPECT_TRUE(assignment->shared);
    return;
  }
  EXPECT_EQ(assignment.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(assignment.status().message()), HasSubstr("3 examples"));
}

}  // namespace starling
