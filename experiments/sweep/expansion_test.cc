#include "experiments/sweep/expansion.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/config/text.h"
#include "core/status.h"
#include "experiments/sweep/run_id.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kBase[] = R"(
  base {
    workers: 4
    topology { name: "ring" }
    optimizer { name: "sgd" config { lr: 0.05 momentum: 0.9 } }
    model { name: "quadratic" }
    dataset { name: "no_data" }
    train { local_batch_size: 1 max_steps: 20 }
  }
)";

absl::StatusOr<SweepDefinition> Parse(const std::string& rest,
                                      const std::vector<std::string>& set = {}) {
  return ParseSweep(absl::StrCat(kBase, rest), "sweep.textproto", set);
}

Expansion Expanded(const std::string& rest) {
  auto definition = Parse(rest);
  CHECK_OK(definition);
  auto expansion = ExpandSweep(*definition);
  CHECK_OK(expansion);
  return *std::move(expansion);
}

std::vector<std::vector<std::string>> Points(const Expansion& expansion) {
  std::vector<std::vector<std::string>> points;
  for (const SweepCombination& combination : expansion.combinations) {
    points.push_back(combination.values);
  }
  return points;
}

TEST(ExpansionTest, WithoutAxesTheBaseRuns) {
  const Expansion expansion = Expanded("seeds: 3");
  EXPECT_THAT(expansion.columns, IsEmpty());
  ASSERT_THAT(expansion.runs, SizeIs(3));
  EXPECT_EQ(expansion.runs[2].seed, 3);
  EXPECT_EQ(expansion.runs[2].config.seed(), 3);
  EXPECT_NE(expansion.runs[0].id, expansion.runs[1].id);
}

TEST(ExpansionTest, GridHasArmsOutsideAndTheLastAxisFastest) {
  const Expansion expansion = Expanded(R"(
    arm { label: "a" }
    arm { label: "b" set: "optimizer.config.momentum=0" }
    axis { path: "workers" values: "2" values: "4" }
    axis { path: "optimizer.config.lr" values: "0.1" values: "0.2" })");
  EXPECT_THAT(expansion.columns, ElementsAre("arm", "workers", "optimizer.config.lr"));
  EXPECT_THAT(Points(expansion),
              ElementsAre(ElementsAre("a", "2", "0.1"), ElementsAre("a", "2", "0.2"),
                          ElementsAre("a", "4", "0.1"), ElementsAre("a", "4", "0.2"),
                          ElementsAre("b", "2", "0.1"), ElementsAre("b", "2", "0.2"),
                          ElementsAre("b", "4", "0.1"), ElementsAre("b", "4", "0.2")));
  EXPECT_THAT(expansion.combinations[7].assignments,
              ElementsAre("optimizer.config.momentum=0", "workers=4", "optimizer.config.lr=0.2"));
}

TEST(ExpansionTest, ANewPluginKeepsFieldsItHasAndNotesTheOthers) {
  const Expansion expansion =
      Expanded(R"(axis { path: "optimizer.name" values: "sgd" values: "adam" })");
  EXPECT_THAT(expansion.combinations[0].notes, IsEmpty());
  ASSERT_THAT(expansion.combinations[1].notes, SizeIs(1));
  EXPECT_THAT(expansion.combinations[1].notes[0], HasSubstr("momentum is dropped"));
  // And the defaults of its own, not those of the plug-in before it.
  const std::string adam = PrintText(expansion.runs[1].config.optimizer());
  EXPECT_THAT(adam, HasSubstr("lr: 0.05"));
  EXPECT_THAT(adam, HasSubstr("beta2: 0.999"));
}

TEST(ExpansionTest, EqualCombinationsRunOnce) {
  // All-Reduce takes no topology.
  const Expansion expansion = Expanded(R"(
    axis { path: "algorithm.name" values: "gossip" values: "allreduce" }
    axis { path: "topology.name" values: "ring" values: "complete" })");
  EXPECT_THAT(expansion.combinations, SizeIs(3));
  ASSERT_THAT(expansion.dropped, SizeIs(1));
  EXPECT_EQ(expansion.dropped[0].reason, "the same run as allreduce, ring");
  EXPECT_THAT(ExpansionText(expansion), HasSubstr("1 combination dropped: the same run as"));
}

TEST(ExpansionTest, RandomDrawsLieInTheirRangeAndStayTheSame) {
  const std::string text = R"(combine: RANDOM samples: 50
    axis { path: "optimizer.config.lr" min: 1e-4 max: 1 log: true }
    axis { path: "workers" values: "2" values: "4" })";
  const Expansion expansion = Expanded(text);
  int small = 0;
  for (const auto& point : Points(expansion)) {
    const double lr = std::stod(point[0]);
    EXPECT_GE(lr, 1e-4);
    EXPECT_LE(lr, 1);
    small += lr < 1e-2;
  }
  // Half of the draws lie in the lower half of the logarithm, give or take four deviations.
  EXPECT_NEAR(small, 25, 4 * 3.54);
  EXPECT_EQ(Points(expansion), Points(Expanded(text)));
}

TEST(ExpansionTest, NothingLeftIsAnError) {
  auto definition = Parse(R"(axis { path: "workers" values: "2" }
                             exclude { when: "workers=2" reason: "no" })");
  ASSERT_TRUE(definition.ok()) << definition.status();
  EXPECT_EQ(
      ExpandSweep(*definition).status(),
      absl::InvalidArgumentError("no combination is left; the first was dropped because: no"));
}

TEST(ExpansionTest, TuningHasASeedOfItsOwnAndGroups) {
  auto definition = Parse(R"(seeds: 2
    axis { path: "workers" values: "2" values: "4" }
    tune { path: "optimizer.config.lr" values: "0.1" values: "0.2" values: "0.3" })");
  ASSERT_TRUE(definition.ok()) << definition.status();
  const auto first = ExpandSweep(*definition);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->runs, SizeIs(6));
  EXPECT_EQ(first->runs[0].seed, 3);
  EXPECT_THAT(TuningGroups(*definition, *first),
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5)));
  const auto second = ExpandChosen(*definition, *first, {1, 5});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_THAT(Points(*second), ElementsAre(ElementsAre("2", "0.2"), ElementsAre("4", "0.3")));
  EXPECT_THAT(second->runs, SizeIs(4));
  EXPECT_EQ(second->runs[1].seed, 2);
}

TEST(ParseSweepTest, TellsEveryMistake) {
  const auto wrong = Parse(R"(
    axis { path: "workers" values: "2" values: "2" }
    axis { path: "workers" values: "" }
    axis { path: "arm" values: "x" }
    axis { path: "train.max_steps" min: 3 max: 4 }
    arm { set: "workers" }
    exclude { reason: "why" })");
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string text(wrong.status().message());
  for (const char* part :
       {"axis[0] (workers) has the value 2 twice", "as that of an axis before it",
        "axis[1] (workers) has an empty value", "arms stand in arm { }",
        "with combine: RANDOM and without values", "arm[0] has no label",
        "arm[0].set is \"workers\"; it must be path=value", "would exclude everything"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(ParseSweepTest, SetChangesTheSweepAndItsBase) {
  const auto definition = Parse("seeds: 2", {"seeds=4", "base.train.max_steps=7"});
  ASSERT_TRUE(definition.ok()) << definition.status();
  EXPECT_EQ(definition->sweep.seeds(), 4);
  EXPECT_EQ(definition->sweep.base().train().max_steps(), 7);
}

TEST(ParseSweepTest, IsCalledAsItsBaseUnlessItHasAName) {
  EXPECT_EQ(Parse("")->sweep.name(), "sweep");
  EXPECT_EQ(Parse("", {"base.name=bowl"})->sweep.name(), "bowl");
  EXPECT_EQ(Parse("name: \"own\"", {"base.name=bowl"})->sweep.name(), "own");
}

TEST(ParseSweepTest, APlaceInTheBaseIsTold) {
  auto definition = Parse("", {});
  ASSERT_TRUE(definition.ok()) << definition.status();
  EXPECT_EQ(definition->base_locations.Find("train.max_steps"), "sweep.textproto:8:44");
}

TEST(RunIdTest, IsOfWhatCanChangeTheResult) {
  Experiment config;
  ASSERT_EQ(ParseText(R"(dataset { name: "fashion_mnist" config { dir: "/here" } } workers: 4)",
                      "f", &config),
            absl::OkStatus());
  const std::string id = RunId(config, 7, {});
  EXPECT_THAT(id, SizeIs(16));
  const auto id_with = [&](const std::string& assignment) {
    Experiment other = config;
    std::vector<std::string> notes;
    CHECK_OK(SetField(&other, assignment, &notes));
    return RunId(other, 7, {});
  };
  EXPECT_EQ(id, id_with("dataset.config.dir=/there"));
  EXPECT_EQ(id, id_with("backend.name=threads"));
  EXPECT_EQ(id, id_with("train.log_every_steps=7"));
  EXPECT_EQ(id, id_with("name=other"));
  EXPECT_NE(id, id_with("workers=5"));
  EXPECT_NE(id, id_with("seed=5"));
  EXPECT_NE(id, RunId(config, 8, {}));
  // A sweep over how things are done has different runs.
  EXPECT_NE(id, RunId(config, 7, {"mixing.overlap=false"}));
  EXPECT_EQ(id, RunId(config, 7, {"workers=4"}));
}

}  // namespace
}  // namespace starling
