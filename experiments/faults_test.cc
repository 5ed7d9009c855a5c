#include "experiments/faults.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/status.h"
#include "experiments/plan.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "optim/algorithm_base.h"

namespace starling {
namespace {

using ::google::protobuf::Empty;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Knows nothing of workers that leave.
class Settled final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const Empty&, const Context&) {
    return std::make_unique<Settled>();
  }
  AlgorithmFacts facts() const override { return {}; }
  absl::Status OnBucketReady(const StepInfo&, int) override { return absl::OkStatus(); }
  absl::Status OnStepEnd(const StepInfo&) override { return absl::OkStatus(); }
};
STARLING_REGISTER_PLUGIN(Algorithm, Settled, Empty, PluginFacts{"settled", "for tests"});

// Eight workers on a ring with these faults.
absl::StatusOr<std::unique_ptr<Plan>> PlanWith(const std::string& faults,
                                               const std::string& more = "") {
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  RETURN_IF_ERROR(ParseText(
      absl::StrCat("faults { ", faults, " }\n", more,
                   "topology { name: \"ring\" } model { name: \"quadratic\" }\n"
                   "dataset { name: \"no_data\" } train { local_batch_size: 1 max_steps: 1000 }\n"),
      "e.txt", &config, &locations));
  RETURN_IF_ERROR(ResolveExperiment(locations, &config, &notes));
  return MakePlan(config, locations);
}

std::string ProblemWith(const std::string& faults, const std::string& more = "") {
  const auto plan = PlanWith(faults, more);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(plan.status().message());
}

std::vector<int> LivingIn(const Plan& plan, int64_t step) {
  return EraOf(plan.eras, step).membership.living();
}

TEST(Faults, WorkersAreAwayFromTheStepTheyLeaveAtToTheOneTheyReturnAt) {
  const auto plan = PlanWith(
      "leave { worker: 7 at_step: 300 return_at_step: 900 } leave { worker: 2 at_step: 500 }");
  ASSERT_TRUE(plan.ok()) << plan.status();
  const std::vector<Era>& eras = (*plan)->eras;
  EXPECT_THAT(LivingIn(**plan, -1), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(LivingIn(**plan, 299), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(LivingIn(**plan, 300), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(LivingIn(**plan, 899), ElementsAre(0, 1, 3, 4, 5, 6));
  EXPECT_THAT(LivingIn(**plan, 900), ElementsAre(0, 1, 3, 4, 5, 6, 7));
  EXPECT_FALSE(ChangesAt(eras, 0));
  EXPECT_TRUE(ChangesAt(eras, 300));
  EXPECT_FALSE(ChangesAt(eras, 301));
  EXPECT_EQ(ReturnOf(eras, 7, 301), 900);
  EXPECT_EQ(ReturnOf(eras, 7, 900), 900);
  EXPECT_EQ(ReturnOf(eras, 2, 501), -1);
  EXPECT_EQ(eras[0].membership.topology, (*plan)->topology.get());
  EXPECT_EQ(eras[1].membership.topology->Round(0).in(7).size(), 1u);
}

TEST(Faults, WithoutAnyThereIsOneEra) {
  const auto plan = PlanWith("");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->eras.size(), 1u);
  EXPECT_FALSE((*plan)->config.has_faults());
  EXPECT_EQ(FaultsText((*plan)->config.faults(), (*plan)->eras, 1000), "");
}

TEST(Faults, TheStepBeforeAChangeStartsNothingForTheNext) {
  const auto plan = PlanWith("leave { worker: 7 at_step: 300 }");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(StepInfoOf(**plan, 298, 1000, 1).next_round.has_value());
  EXPECT_FALSE(StepInfoOf(**plan, 299, 1000, 1).next_round.has_value());
  EXPECT_EQ(StepInfoOf(**plan, 299, 1000, 1).alive, nullptr);
  EXPECT_EQ(StepInfoOf(**plan, 300, 1000, 1).alive, &(*plan)->eras[1].membership);
}

TEST(Faults, AreSaidInWords) {
  const auto plan = PlanWith(
      "leave { worker: 7 at_step: 300 return_at_step: 900 } pause { worker: 3 at_step: 200 "
      "seconds: 5 }");
  ASSERT_TRUE(plan.ok()) << plan.status();
  // (1 + 2 cos(2 pi / 8)) / 3, before and after: the slowest mode can be zero at worker 7.
  const std::string text =
      "  worker 7 leaves at step 300 and returns at 900\n"
      "  at step 200 worker 3 pauses 5 s\n"
      "  from step 300 on without worker 7:\n"
      "    disagreement shrinks to 0.805 per round, of all to 0.805; up to 2 messages\n";
  EXPECT_EQ(FaultsText((*plan)->config.faults(), (*plan)->eras, 1000), text);
  EXPECT_EQ(FaultsText((*plan)->config.faults(), (*plan)->eras, 250),
            "  worker 7 leaves at step 300 and returns at 900 (the run ends after 250)\n"
            "  at step 200 worker 3 pauses 5 s\n");
  EXPECT_THAT(PlanText(**plan), HasSubstr(text));
  for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 80u);
}

TEST(Faults, MistakesAreNamed) {
  EXPECT_EQ(ProblemWith("leave { worker: 8 at_step: 3 }"),
            "e.txt:1:26: faults.leave[0].worker is 8; the workers are 0 to 7");
  EXPECT_EQ(ProblemWith("leave { worker: 0 at_step: 3 }"),
            "e.txt:1:26: faults.leave[0].worker is 0, but the run's records are made beside worker "
            "0: another one must leave");
  EXPECT_EQ(ProblemWith("leave { worker: 3 }"), "e.txt:1:10: faults.leave[0].at_step is missing");
  EXPECT_EQ(ProblemWith("leave { worker: 3 at_step: 0 }"),
            "e.txt:1:37: faults.leave[0].at_step is 0; it must be at least 1");
  EXPECT_EQ(ProblemWith("leave { worker: 3 at_step: 5 return_at_step: 5 }"),
            "e.txt:1:55: faults.leave[0].return_at_step is 5; worker 3 leaves at step 5 and must "
            "return later");
  EXPECT_EQ(ProblemWith("leave { worker: 3 at_step: 5 } leave { worker: 3 at_step: 9 }"),
            "e.txt:1:41: faults.leave[1]: worker 3 is away already, by faults.leave[0]");
  EXPECT_EQ(ProblemWith("pause { worker: 3 seconds: 1 }"),
            "e.txt:1:10: faults.pause[0].at_step is missing");
  EXPECT_EQ(ProblemWith("slow_link { worker: 3 other_worker: 5 rate: 0.5 }"),
            "e.txt:1:10: faults.slow_link[0]: backend \"threads\" has no links to slow down; "
            "backend \"sim\" has");
  EXPECT_THAT(ProblemWith("slow_link { worker: 3 other_worker: 3 rate: 0.5 }"),
              HasSubstr("faults.slow_link[0] is from worker 3 to itself; there must be two"));
}

TEST(Faults, AnAlgorithmThatCannotSayWhatBecomesOfItsStateIsRefused) {
  EXPECT_EQ(ProblemWith("leave { worker: 3 at_step: 5 }", "algorithm { name: \"settled\" }\n"),
            "e.txt:1:10: faults.leave: algorithm \"settled\" cannot go on when workers leave or "
            "return: there must be no such events");
}

TEST(Faults, EveryRegisteredAlgorithmTakesThem) {
  for (const std::string& name : Registry<Algorithm>::Global().Names()) {
    PluginRef ref;
    ref.set_name(name);
    const auto algorithm = Registry<Algorithm>::Global().Create(ref, {});
    ASSERT_TRUE(algorithm.ok()) << algorithm.status();
    EXPECT_EQ((*algorithm)->facts().takes_membership, name != "settled") << name;
  }
}

}  // namespace
}  // namespace starling
