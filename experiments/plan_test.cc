#include "experiments/plan.h"

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "optim/algorithm_base.h"

namespace starling {
namespace {

using ::google::protobuf::Empty;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Worker 0 keeps its value, all others take it: rows sum to one, columns do not. Neither symmetric
// nor equal in all rounds.
class Lopsided final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;
  static absl::StatusOr<std::unique_ptr<Topology>> Create(const Empty&, const Context& context) {
    const int n = context.workers;
    std::vector<Edge> from_first, own;
    for (int i = 0; i < n; ++i) {
      from_first.push_back({i, 0, 1});
      own.push_back({i, i, 1});
    }
    return std::make_unique<Lopsided>(
        n,
        std::vector<MixingRound>{MixingRound::FromEdges(n, from_first),
                                 MixingRound::FromEdges(n, own)},
        TopologyFacts());
  }
};
STARLING_REGISTER_PLUGIN(Topology, Lopsided, Empty, PluginFacts{"lopsided", "for tests"});

// Worker 0 gives half of what it has to the others in equal parts: columns sum to one, rows do not.
class Split final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;
  static absl::StatusOr<std::unique_ptr<Topology>> Create(const Empty&, const Context& context) {
    const int n = context.workers;
    std::vector<Edge> edges = {{0, 0, 0.5}};
    for (int i = 1; i < n; ++i) {
      edges.push_back({i, 0, 0.5 / (n - 1)});
      edges.push_back({i, i, 1});
    }
    TopologyFacts facts;
    facts.rows_sum_to_one = false;
    facts.columns_sum_to_one = true;
    return std::make_unique<Split>(n, std::vector<MixingRound>{MixingRound::FromEdges(n, edges)},
                                   facts);
  }
};
STARLING_REGISTER_PLUGIN(Topology, Split, Empty, PluginFacts{"split", "for tests"});

// An algorithm that does nothing but make demands.
template <typename Demands>
class Demanding : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const Empty&, const Context&) {
    return std::make_unique<Demanding>();
  }
  AlgorithmFacts facts() const override { return Demands::Facts(); }
  absl::Status OnBucketReady(const StepInfo&, int) override { return absl::OkStatus(); }
  absl::Status OnStepEnd(const StepInfo&) override { return absl::OkStatus(); }
};
struct DirectedOk {
  static AlgorithmFacts Facts() {
    AlgorithmFacts facts;
    facts.directed_ok = true;
    return facts;
  }
};
struct OwnRule {
  static AlgorithmFacts Facts() {
    AlgorithmFacts facts;
    facts.own_local_rule = true;
    return facts;
  }
};
using Directed = Demanding<DirectedOk>;
using OwnMomentum = Demanding<OwnRule>;
STARLING_REGISTER_PLUGIN(Algorithm, Directed, Empty, PluginFacts{"directed", "for tests"});
STARLING_REGISTER_PLUGIN(Algorithm, OwnMomentum, Empty, PluginFacts{"own_momentum", "for tests"});

constexpr char kBase[] = R"(workers: 4
topology { name: "ring" }
model { name: "quadratic" }
dataset { name: "no_data" config { examples: 100 } }
train { global_batch_size: 8 epochs: 2 }
)";

struct Made {
  std::vector<std::string> notes;
  std::unique_ptr<Plan> plan;
};

absl::StatusOr<Made> Make(const std::string& text) {
  Made made;
  Experiment config;
  TextLocations locations;
  RETURN_IF_ERROR(ParseText(text, "e.txt", &config, &locations));
  RETURN_IF_ERROR(ResolveExperiment(locations, &config, &made.notes));
  ASSIGN_OR_RETURN(made.plan, MakePlan(config, locations));
  return made;
}

// kBase with parts of it replaced.
std::string Changed(std::initializer_list<std::pair<absl::string_view, absl::string_view>> parts) {
  const std::string text = absl::StrReplaceAll(kBase, parts);
  EXPECT_NE(text, kBase);
  return text;
}

// With other contents of train { }.
std::string WithTrain(const std::string& train) {
  return Changed({{"global_batch_size: 8 epochs: 2", train}});
}

std::unique_ptr<Plan> PlanOf(const std::string& text) {
  auto made = Make(text);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? std::move(made->plan) : std::make_unique<Plan>();
}

std::string Problem(const std::string& text) {
  const auto made = Make(text);
  EXPECT_TRUE(absl::IsInvalidArgument(made.status())) << made.status();
  return std::string(made.status().message());
}

TEST(PlanTest, DefaultsAreSpeltOut) {
  const auto plan = PlanOf(kBase);
  const Experiment& config = plan->config;
  EXPECT_EQ(config.seed(), 1);
  EXPECT_EQ(config.workers_per_node(), 4);
  EXPECT_EQ(config.backend().name(), "threads");
  EXPECT_EQ(config.algorithm().name(), "gossip");
  EXPECT_EQ(config.optimizer().name(), "sgd");
  EXPECT_EQ(config.schedule().name(), "constant");
  EXPECT_EQ(config.partition().name(), "iid");
  EXPECT_TRUE(config.optimizer().has_config());
  EXPECT_EQ(plan->dtype, DType::kF32);
  EXPECT_EQ(plan->local_batch_size, 2);
  EXPECT_EQ(plan->examples_per_step(), 8);
  EXPECT_EQ(plan->steps_per_epoch, 12);  // 100 / 8: what is left over is dropped
  EXPECT_EQ(plan->steps, 24);
  EXPECT_EQ(plan->eval_every_steps, 12);
  EXPECT_EQ(plan->parameters, 10);
  EXPECT_EQ(plan->buckets, 1);
  EXPECT_TRUE(plan->assignment.shared);
  ASSERT_NE(plan->topology, nullptr);
  EXPECT_EQ(plan->topology->size(), 4);
}

TEST(PlanTest, LocalAndGlobalBatches) {
  EXPECT_EQ(PlanOf(WithTrain("local_batch_size: 3 max_steps: 1"))->examples_per_step(), 12);
  EXPECT_EQ(
      PlanOf(WithTrain("local_batch_size: 3 global_batch_size: 12 max_steps: 1"))->local_batch_size,
      3);
  EXPECT_EQ(Problem(WithTrain("local_batch_size: 3 global_batch_size: 16 max_steps: 1")),
            "e.txt:5:48: train.global_batch_size is 16, but 4 workers with train.local_batch_size "
            "3 make 12; give only one of the two");
  EXPECT_THAT(Problem(WithTrain("global_batch_size: 9 max_steps: 1")),
              HasSubstr("is 9, which 4 workers do not divide; nearest: 8 or 12"));
  EXPECT_THAT(Problem(WithTrain("global_batch_size: 3 max_steps: 1")), HasSubstr("nearest: 4"));
  EXPECT_THAT(Problem(WithTrain("max_steps: 1")), HasSubstr("are both missing"));
  EXPECT_EQ(Problem(WithTrain("local_batch_size: 26 max_steps: 1")),
            "e.txt:5:27: train: a global batch of 104 is more than the 100 training examples of "
            "\"no_data\"");
  EXPECT_EQ(Problem(WithTrain("local_batch_size: 3 max_steps: 1 micro_batches: 2")),
            "e.txt:5:57: train.micro_batches is 2, which does not divide the 3 examples of a "
            "worker's batch");
}

TEST(PlanTest, AMachineHoldsAtMostAllWorkers) {
  EXPECT_EQ(Problem(Changed({{"workers: 4", "workers: 4 workers_per_node: 5"}})),
            "e.txt:1:30: workers_per_node is 5, but workers is only 4; it must be at most 4");
  // Machines may hold unequal numbers.
  EXPECT_EQ(PlanOf(Changed({{"workers: 4", "workers: 4 workers_per_node: 3"}}))
                ->config.workers_per_node(),
            3);
}

TEST(PlanTest, EpochsOrStepsWhicheverEndFirst) {
  const auto steps = [](const std::string& train) {
    return PlanOf(WithTrain("local_batch_size: 2 " + train))->steps;
  };
  EXPECT_EQ(steps("epochs: 2 max_steps: 7"), 7);
  EXPECT_EQ(steps("epochs: 2 max_steps: 700"), 24);
  EXPECT_EQ(steps("max_steps: 700"), 700);
  EXPECT_EQ(steps("epochs: 0.5"), 6);
  EXPECT_EQ(steps("epochs: 0.55"), 7);  // a part of a step is a step
  EXPECT_EQ(steps("epochs: 0.0001"), 1);
  EXPECT_EQ(steps("epochs: inf max_steps: 5"), 5);
  EXPECT_EQ(steps("epochs: 1e300"), INT64_MAX);
  // In double 1.1 * 10 is more than 11.
  EXPECT_EQ(PlanOf(WithTrain("global_batch_size: 12 epochs: 1.375"))->steps, 11);
  EXPECT_EQ(PlanOf(Changed({{"100", "80"}, {"epochs: 2", "epochs: 1.1"}}))->steps, 11);
}

TEST(PlanTest, EvaluationsAsAsked) {
  EXPECT_EQ(
      PlanOf(WithTrain("local_batch_size: 2 epochs: 1 eval_every_steps: 5"))->eval_every_steps, 5);
  EXPECT_EQ(
      PlanOf(WithTrain("local_batch_size: 2 epochs: 1 eval_every_steps: 0"))->eval_every_steps, 0);
}

TEST(PlanTest, AllProblemsComeAtOnceEachWithItsPlace) {
  EXPECT_EQ(
      Problem(R"(workers: 4
mixing { staleness: 1 precision: F64 }
algorithm { name: "allreduce" }
compression { name: "top_k" }
model { name: "quadratic" }
dataset { name: "no_data" }
train {
  global_batch_size: 9
}
)"),
      "e.txt:7:1: train.epochs and train.max_steps are both missing; give one, e.g. "
      "train { epochs: 2 }\n"
      "e.txt:8:22: train.global_batch_size is 9, which 4 workers do not divide; nearest: 8 "
      "or 12\n"
      "e.txt:2:21: mixing.staleness is 1; algorithm \"allreduce\" as configured mixes no stale "
      "values: it must be 0\n"
      "e.txt:2:34: mixing.precision is F64, but there is no more than train.dtype F32 to exchange; "
      "it must be SAME, F32, F16 or BF16\n"
      "e.txt:4:21: compression.name is \"top_k\"; this build has: none");
  EXPECT_EQ(Problem(Changed({{"topology { name: \"ring\" }", ""}})),
            "e.txt: topology is missing, and algorithm \"gossip\" needs one; `starling list "
            "topology` prints the choice");
  EXPECT_EQ(Problem(R"(workers: 0 train { epochs: -1 })"),
            "e.txt:1:10: workers is 0; it must be at least 1 and at most 65536\n"
            "e.txt:1:28: train.epochs is -1; it must be greater than 0\n"
            "e.txt: model is missing; `starling list model` prints the choice\n"
            "e.txt: dataset is missing; `starling list dataset` prints the choice");
}

TEST(PlanTest, WhatTheAlgorithmHasNoUseForIsDropped) {
  const std::string text =
      absl::StrCat(kBase, "algorithm { name: \"allreduce\" } mixing { every_steps: 3 gamma: 0.5 }");
  auto made = Make(text);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->notes,
              ElementsAre("algorithm \"allreduce\" takes no topology: \"ring\" is dropped",
                          "algorithm \"allreduce\" does not mix: mixing.every_steps 3 is dropped",
                          "algorithm \"allreduce\" does not mix: mixing.gamma 0.5 is dropped"));
  EXPECT_FALSE(made->plan->config.has_topology());
  EXPECT_EQ(made->plan->config.mixing().every_steps(), 1);
  EXPECT_EQ(made->plan->config.mixing().gamma(), 1);
  EXPECT_EQ(made->plan->topology, nullptr);
}

TEST(PlanTest, ClippingPerBucketNeedsALimit) {
  auto made = Make(WithTrain("local_batch_size: 2 max_steps: 1 grad_clip_per: BUCKET"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->notes, ElementsAre("without train.grad_clip_norm nothing is clipped: "
                                       "train.grad_clip_per BUCKET is dropped"));
  EXPECT_EQ(made->plan->config.train().grad_clip_per(), Train::GLOBAL);
  made =
      Make(WithTrain("local_batch_size: 2 max_steps: 1 grad_clip_norm: 1 grad_clip_per: BUCKET"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->notes, IsEmpty());
}

TEST(PlanTest, NothingIsDroppedFromAnAlgorithmThatMixes) {
  auto made = Make(absl::StrCat(kBase, "mixing { every_steps: 3 gamma: 0.5 }"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->notes, IsEmpty());
  EXPECT_EQ(made->plan->config.mixing().every_steps(), 3);
}

TEST(PlanTest, WeightsThatTheAlgorithmCannotTakeAreRefused) {
  const std::string lopsided = Changed({{"ring", "lopsided"}});
  EXPECT_EQ(Problem(lopsided),
            "e.txt:2:1: topology: algorithm \"gossip\" needs weights that are doubly stochastic "
            "(rows and columns sum to one); those of \"lopsided\" do not have that: use another "
            "topology, e.g. \"exponential\"");
  EXPECT_EQ(Problem(lopsided + "algorithm { name: \"directed\" }"),
            "e.txt:2:1: topology: algorithm \"directed\" needs weights whose columns sum to one; "
            "those of \"lopsided\" do not have that: use another topology, e.g. \"exponential\"");
  const std::string split = Changed({{"ring", "split"}});
  EXPECT_EQ(Problem(split),
            "e.txt:2:1: topology: algorithm \"gossip\" needs weights that are doubly stochastic "
            "(rows and columns sum to one); those of \"split\" only have columns that do: use "
            "algorithm \"sgp\", which takes them");
  EXPECT_TRUE(Make(split + "algorithm { name: \"directed\" }").ok());
}

TEST(PlanTest, D2NeedsOneSymmetricMatrixWithoutVeryNegativeEigenvalues) {
  const std::string d2 = "algorithm { name: \"d2\" } ";
  EXPECT_TRUE(Make(kBase + d2 + "mixing { gamma: 0.5 }").ok());
  EXPECT_EQ(Problem(Changed({{"ring", "one_peer_exp"}}) + d2),
            "e.txt:2:1: topology: algorithm \"d2\" needs weights that are equal in all rounds; "
            "those of \"one_peer_exp\" are not: use one of \"ring\", \"torus\", \"hypercube\", "
            "\"complete\"");
  EXPECT_EQ(Problem(Changed({{"ring", "exponential"}}) + d2),
            "e.txt:2:1: topology: algorithm \"d2\" needs weights that are symmetric; those of "
            "\"exponential\" are not: use one of \"ring\", \"torus\", \"hypercube\", "
            "\"complete\"");
  EXPECT_EQ(Problem(kBase + d2 + "mixing { gamma: 0.5 every_steps: 2 }"),
            "e.txt:6:59: mixing.every_steps is 2; algorithm \"d2\" needs weights that are equal in "
            "all steps: it must be 1");
  // A ring of four has exactly -1/3.
  EXPECT_EQ(Problem(kBase + d2),
            "e.txt: mixing.gamma is 1; algorithm \"d2\" needs weights whose eigenvalues are above "
            "-0.3333, and with gamma 1 the smallest of \"ring\" is -0.3333: use mixing { gamma: "
            "0.5 }");
  EXPECT_TRUE(Make(kBase + d2 + "mixing { gamma: 0.99 }").ok());
}

TEST(PlanTest, StaleValuesMustNotDriveWorkersApart) {
  // A ring of four, thirds: eigenvalues down to -1/3. For staleness 1 gamma (1 - lambda) < 1.
  const auto mixing = [](const char* fields) {
    return absl::StrCat(kBase, "mixing { ", fields, " }\n");
  };
  EXPECT_EQ(Problem(mixing("staleness: 1")),
            "e.txt:6:1: mixing.gamma is 1, with which mixing.staleness 1 over \"ring\" drives the "
            "workers apart; it must be less than 0.75");
  EXPECT_THAT(Problem(mixing("staleness: 1 gamma: 0.75")), HasSubstr("less than 0.75"));
  EXPECT_THAT(Problem(mixing("staleness: 2 gamma: 0.74")), HasSubstr("less than 0.4635"));
  EXPECT_TRUE(Make(mixing("staleness: 1 gamma: 0.749")).ok());
  // Groups of two average: eigenvalues 0 and 1.
  const std::string groups = absl::StrReplaceAll(mixing("staleness: 1"), {{"ring", "complete"}});
  EXPECT_THAT(Problem(groups), HasSubstr("over \"complete\" drives the workers apart; it must be "
                                         "less than 1"));
  EXPECT_TRUE(Make(absl::StrReplaceAll(groups, {{"staleness", "gamma: 0.99 staleness"}})).ok());
  EXPECT_EQ(
      Problem(mixing("staleness: 1") + "algorithm { name: \"gossip\" config { order: ATC } }"),
      "e.txt:6:21: mixing.staleness is 1; algorithm \"gossip\" as configured mixes no stale "
      "values: it must be 0");
}

TEST(PlanTest, OnlyGossipContinuesFromTheAverage) {
  const auto with = [](const std::string& algorithm) {
    return absl::StrCat(WithTrain("global_batch_size: 8 epochs: 2 continue_from_average: true"),
                        "algorithm { name: \"", algorithm, "\" }\n");
  };
  EXPECT_TRUE(Make(with("gossip")).ok());
  EXPECT_THAT(Problem(with("allreduce")),
              HasSubstr("train.continue_from_average is true; algorithm \"allreduce\" keeps the "
                        "workers equal anyway: it must be false"));
  EXPECT_THAT(Problem(with("d2")),
              HasSubstr("train.continue_from_average is true; algorithm \"d2\" keeps state that "
                        "belongs to each worker's own parameters: it must be false"));
}

TEST(PlanTest, PrecisionIsThatOfExchangedValues) {
  EXPECT_EQ(PlanOf(kBase)->precision, std::nullopt);
  EXPECT_EQ(PlanOf(absl::StrCat(kBase, "mixing { precision: BF16 }"))->precision, DType::kBF16);
  const std::string f64 = Changed({{"epochs: 2", "epochs: 2 dtype: F64"}});
  for (const auto& [name, type] : {std::pair<const char*, DType>{"F64", DType::kF64},
                                   {"F32", DType::kF32},
                                   {"F16", DType::kF16}}) {
    EXPECT_EQ(PlanOf(absl::StrCat(f64, "mixing { precision: ", name, " }"))->precision, type);
  }
}

TEST(PlanTest, MomentumIsNotAppliedTwice) {
  const std::string text = absl::StrCat(kBase, "algorithm { name: \"own_momentum\" }\n");
  EXPECT_TRUE(Make(text).ok());
  EXPECT_EQ(
      Problem(text + "optimizer { name: \"sgd\" config { momentum: 0.9 } }"),
      "e.txt:7:1: optimizer: algorithm \"own_momentum\" has a local rule of its own and takes "
      "plain sgd, not \"sgd\" with momentum");
  EXPECT_EQ(Problem(absl::StrCat(kBase, R"(algorithm { name: "qg_dsgdm" }
optimizer { name: "adam" })")),
            "e.txt:7:1: optimizer: algorithm \"qg_dsgdm\" has a local rule of its own and takes "
            "plain sgd, not \"adam\" with momentum");
}

TEST(PlanTest, ProblemsThatOnlyAPluginFindsHaveTheirPlaceToo) {
  EXPECT_EQ(
      Problem(Changed({{"\"quadratic\"", "\"quadratic\" config { dimension: 3 tensors: 4 }"}})),
      "e.txt:3:1: model: model \"quadratic\": tensors is 4 and dimension is 3; a tensor "
      "holds at least one parameter");
}

TEST(PlanTest, OneWorkerIsAWorld) {
  const auto plan = PlanOf(Changed({{"workers: 4", "workers: 1"}}));
  EXPECT_EQ(plan->local_batch_size, 8);
  EXPECT_EQ(plan->steps_per_epoch, 12);
  EXPECT_THAT(PlanText(*plan), HasSubstr("1 workers on 1 node, "));
}

TEST(PlanTest, PartsHaveTheBucketsAndTypeOfThePlan) {
  const auto plan = PlanOf(Changed({{"\"quadratic\"", "\"quadratic\" config { tensors: 3 }"},
                                    {"epochs: 2", "epochs: 2 bucket_mb: 1e-9 dtype: F64"}}));
  EXPECT_EQ(plan->buckets, 3);
  EXPECT_EQ(plan->parameters, 10);
  EXPECT_EQ(plan->dtype, DType::kF64);
  const auto parts = MakeWorkerParts(*plan, 3, &WallClock());
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ(parts->model->layout().buckets.size(), 3u);
  EXPECT_NE(parts->optimizer, nullptr);
  EXPECT_NE(parts->algorithm, nullptr);
}

TEST(PlanTextTest, SaysWhatWillRunWithinTheTerminal) {
  auto plan = PlanOf(Changed({{"workers: 4", "workers: 4 workers_per_node: 2"}}));
  EXPECT_EQ(PlanText(*plan),
            "experiment: 4 workers on 2 nodes, backend threads\n"
            "  quadratic (10 parameters in 1 bucket) on no_data, partition iid\n"
            "  gossip + sgd over ring (period 1)\n"
            "  24 steps of 8 examples (2 per worker), 12 steps per epoch\n");
  plan->config.mutable_model()->set_name("logistic_regression");
  plan->config.mutable_dataset()->set_name("synthetic_classification");
  plan->config.mutable_partition()->set_name("dirichlet");
  plan->parameters = 123456789;
  plan->buckets = 42;
  for (absl::string_view line : absl::StrSplit(PlanText(*plan), '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

}  // namespace
}  // namespace starling
