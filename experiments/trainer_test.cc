#include "experiments/trainer.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "comm/backend.h"
#include "core/config/text.h"
#include "core/ops/ops.h"
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
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Optional;

// What worker 1 was told and handed, step by step.
struct Seen {
  std::vector<StepInfo> infos;
  std::vector<std::vector<double>> gradients;  // at the end of the step
  std::vector<double> handed_over;             // squared norm of each bucket when it was ready
};

std::mutex seen_mutex;
Seen seen;

// Every worker for itself; writes down what worker 1 sees.
class Probe final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const Empty&, const Context&) {
    return std::make_unique<Probe>();
  }
  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.directed_ok = true;
    facts.takes_membership = true;
    return facts;
  }
  absl::Status OnMembership(const Membership&) override { return absl::OkStatus(); }
  absl::Status OnBucketReady(const StepInfo&, int bucket) override {
    if (worker().id != 1) return absl::OkStatus();
    std::lock_guard<std::mutex> lock(seen_mutex);
    seen.handed_over.push_back(ops::Dot(g(bucket), g(bucket)));
    return absl::OkStatus();
  }
  absl::Status OnStepEnd(const StepInfo& info) override {
    std::vector<double> gradient;
    for (int b = 0; b < buckets(); ++b) {
      const auto part = g(b).as<double>();
      gradient.insert(gradient.end(), part.begin(), part.end());
      RETURN_IF_ERROR(worker().optimizer->Update(UpdateOf(info, b)));
    }
    if (worker().id != 1) return absl::OkStatus();
    std::lock_guard<std::mutex> lock(seen_mutex);
    seen.infos.push_back(info);
    seen.gradients.push_back(std::move(gradient));
    return absl::OkStatus();
  }
};
STARLING_REGISTER_PLUGIN(Algorithm, Probe, Empty, PluginFacts{"probe", "for tests"});

// The model quadratic; that of worker 2 is cut into other tensors.
class OddModel final {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const Empty&,
                                                       const Model::Context& context) {
    Experiment config;
    TextLocations locations;
    RETURN_IF_ERROR(ParseText(absl::StrCat("model { name: \"quadratic\" config { tensors: ",
                                           context.worker == 2 ? 4 : 5, " } }"),
                              "test", &config, &locations));
    return Registry<Model>::Global().Create(config.model(), context);
  }
};
STARLING_REGISTER_PLUGIN(Model, OddModel, Empty, PluginFacts{"odd_model", "for tests"});

struct Trained {
  std::vector<TrainedState> states;  // by worker
  RunResult result;
  Seen seen;
};

// Trains three workers with these fields set as by --set.
absl::StatusOr<Trained> TryTrain(const std::vector<std::string>& set) {
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  CHECK_OK(ParseText(R"(
      workers: 3
      topology { name: "ring" }
      algorithm { name: "gossip" }
      model { name: "quadratic" config { tensors: 3 } }
      dataset { name: "no_data" config { examples: 60 } }
      train { local_batch_size: 4 max_steps: 5 dtype: F64 bucket_mb: 1e-6 })",
                     "test", &config, &locations));
  for (const std::string& assignment : set) CHECK_OK(SetField(&config, assignment, &notes));
  CHECK_OK(ResolveExperiment(locations, &config, &notes));
  auto plan = MakePlan(config, locations);
  CHECK_OK(plan);

  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(), std::fclose);
  Progress progress(file.get(), /*live=*/false);
  Monitor monitor(plan->get(), &progress, {});
  auto backend = Registry<Backend>::Global().Create(config.backend(), {3, 3, 2});
  CHECK_OK(backend);
  Trained trained;
  trained.states.resize(3);
  seen = Seen();
  RETURN_IF_ERROR((*backend)->Run([&](Communicator* comm) -> absl::Status {
    Trainer trainer(plan->get(), comm, &monitor);
    ASSIGN_OR_RETURN(trained.states[comm->rank()], trainer.Run());
    return absl::OkStatus();
  }));
  trained.result = monitor.Result();
  trained.seen = seen;
  return trained;
}

Trained Train(const std::vector<std::string>& set) {
  auto trained = TryTrain(set);
  CHECK_OK(trained);
  return *std::move(trained);
}

double Norm(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value * value;
  return std::sqrt(sum);
}

TEST(TrainerTest, OutcomeIsTheSameOnAllWorkers) {
  const Trained trained = Train({});
  EXPECT_EQ(trained.result.steps, 5);
  EXPECT_EQ(trained.result.status, RunStatus::kDone);
  EXPECT_GT(trained.result.consensus_distance, 0);
  for (const TrainedState& state : trained.states) {
    EXPECT_TRUE(state.evaluated);
    EXPECT_EQ(state.state_digest, trained.states[0].state_digest);
    EXPECT_EQ(state.test.loss, trained.states[0].test.loss);
    EXPECT_EQ(state.test.worker_loss, trained.states[0].test.worker_loss);
  }
}

TEST(TrainerTest, WhoIsAwayDoesNothingAndWhoReturnsGoesOnWithTheOthers) {
  const std::vector<std::string> returns = {
      "train.max_steps=9", "faults={leave { worker: 1 at_step: 3 return_at_step: 7 }}"};
  const Trained trained = Train(returns);
  EXPECT_EQ(trained.result.steps, 9);
  ASSERT_EQ(trained.states[0].test.worker_loss.size(), 3u);
  for (const TrainedState& state : trained.states) {
    EXPECT_TRUE(state.evaluated);
    EXPECT_EQ(state.state_digest, trained.states[0].state_digest);
  }
  for (const char* extra : {"train.bucket_mb=25", "mixing.overlap=false",
                            "train.consensus_every_steps=1", "train.eval_every_steps=2"}) {
    std::vector<std::string> set = returns;
    set.push_back(extra);
    EXPECT_EQ(Train(set).states[0].state_digest, trained.states[0].state_digest) << extra;
  }
  std::vector<std::string> probe = returns;
  probe.push_back("algorithm.name=probe");
  std::vector<int64_t> steps;
  for (const StepInfo& info : Train(probe).seen.infos) steps.push_back(info.step);
  EXPECT_THAT(steps, ElementsAre(0, 1, 2, 7, 8));
}

TEST(TrainerTest, WhoDoesNotReturnIsMissingInTheOutcome) {
  const Trained trained = Train({"train.max_steps=9", "faults={leave { worker: 2 at_step: 3 }}"});
  EXPECT_EQ(trained.result.steps, 9);
  EXPECT_EQ(trained.states[0].test.worker_loss.size(), 2u);
  EXPECT_EQ(trained.states[1].state_digest, trained.states[0].state_digest);
  EXPECT_FALSE(trained.states[2].evaluated);
}

TEST(TrainerTest, WhoWaitsToReturnIsToldThatTheRunHasEndedBefore) {
  const Trained trained =
      Train({"train.max_steps=2000000", "optimizer.config.lr=1e300",
             "faults={leave { worker: 2 at_step: 1 return_at_step: 1000000 }}"});
  EXPECT_EQ(trained.result.status, RunStatus::kDiverged);
  EXPECT_LT(trained.result.steps, 1000);
}

TEST(TrainerTest, APauseChangesNoBits) {
  EXPECT_EQ(
      Train({"faults={pause { worker: 2 at_step: 1 seconds: 0.001 }}"}).states[0].state_digest,
      Train({}).states[0].state_digest);
}

TEST(TrainerTest, ADisagreementAboutTheModelIsNamed) {
  const absl::Status status = TryTrain({"model={name:\"odd_model\"}"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the workers' models differ: parameter 1 in backward order of worker 2 is "
                        "not that of worker 0; here it is \"x1\" with "));
}

TEST(TrainerTest, TwoMicroBatchesOfAnObjectiveWithoutNoiseAreOneBatch) {
  // (g + g) / 2 has the bits of g.
  const Trained whole = Train({}), halves = Train({"train.micro_batches=2"});
  EXPECT_EQ(halves.states[0].state_digest, whole.states[0].state_digest);
  EXPECT_EQ(halves.result.train_loss, whole.result.train_loss);
}

TEST(TrainerTest, MicroBatchesDrawTheirOwnNoiseAndAreAveraged) {
  const std::vector<std::string> probe = {"algorithm.name=probe", "train.max_steps=1",
                                          "model.config.dimension=3000"};
  const auto gradient = [&](std::vector<std::string> more) {
    more.insert(more.begin(), probe.begin(), probe.end());
    return Train(more).seen.gradients[0];
  };
  const std::vector<double> exact = gradient({});
  for (const auto& [parts, deviation] : {std::pair<int, double>{1, 0.5}, {4, 0.25}}) {
    std::vector<double> noise =
        gradient({"model.config.noise=0.5", absl::StrCat("train.micro_batches=", parts)});
    for (size_t i = 0; i < noise.size(); ++i) noise[i] -= exact[i];
    EXPECT_NEAR(Norm(noise) / std::sqrt(3000), deviation, 0.02) << parts;
  }
}

TEST(TrainerTest, ClippingScalesTheWholeGradientToItsLimit) {
  const std::vector<double> free = Train({"algorithm.name=probe"}).seen.gradients[0];
  const Trained clipped = Train({"algorithm.name=probe", "train.grad_clip_norm=0.5"});
  ASSERT_GT(Norm(free), 0.5);
  for (size_t k = 0; k < free.size(); ++k) {
    EXPECT_NEAR(clipped.seen.gradients[0][k], free[k] * 0.5 / Norm(free), 1e-14);
  }
  for (const auto& gradient : clipped.seen.gradients) EXPECT_LE(Norm(gradient), 0.5 + 1e-12);
  // What the algorithm was handed was final already: the buckets make up the limit.
  ASSERT_EQ(clipped.seen.handed_over.size(), 15u);
  EXPECT_NEAR(
      clipped.seen.handed_over[0] + clipped.seen.handed_over[1] + clipped.seen.handed_over[2], 0.25,
      1e-14);
}

TEST(TrainerTest, ClippingAllTogetherDoesNotDependOnBuckets) {
  std::vector<std::string> set = {"train.grad_clip_norm=0.5", "model.config.dimension=1000",
                                  "model.config.tensors=7", "train.dtype=F32"};
  set.push_back("train.bucket_mb=1e-6");
  const uint64_t expected = Train(set).states[0].state_digest;
  for (const char* bucket_mb : {"0.001", "0.002", "25"}) {
    set.back() = absl::StrCat("train.bucket_mb=", bucket_mb);
    EXPECT_EQ(Train(set).states[0].state_digest, expected) << bucket_mb;
  }
  set[0] = "train.grad_clip_norm=0.6";
  EXPECT_NE(Train(set).states[0].state_digest, expected);
}

TEST(TrainerTest, ClippingPerBucketScalesEachToTheLimitBeforeItIsHandedOver) {
  const std::vector<std::string> probe = {"algorithm.name=probe", "train.max_steps=1",
                                          "train.micro_batches=2"};
  std::vector<std::string> clip = probe;
  clip.insert(clip.end(), {"train.grad_clip_norm=0.5", "train.grad_clip_per=BUCKET"});
  const Seen free = Train(probe).seen, clipped = Train(clip).seen;
  ASSERT_EQ(free.handed_over.size(), 3u);
  ASSERT_EQ(clipped.handed_over.size(), 3u);
  for (int b = 0; b < 3; ++b) {
    EXPECT_GT(free.handed_over[b], 0.25) << b;
    EXPECT_NEAR(clipped.handed_over[b], 0.25, 1e-14) << b;
  }
  // One bucket of all is clipped as all together.
  const std::vector<std::string> one = {"train.grad_clip_norm=0.5", "train.bucket_mb=25"};
  std::vector<std::string> alone = one;
  alone.push_back("train.grad_clip_per=BUCKET");
  EXPECT_EQ(Train(alone).states[0].state_digest, Train(one).states[0].state_digest);
}

TEST(TrainerTest, ALimitThatIsNotReachedChangesNothing) {
  EXPECT_EQ(Train({"train.grad_clip_norm=1e9"}).states[0].state_digest,
            Train({}).states[0].state_digest);
}

TEST(TrainerTest, MeasuringAndEvaluatingChangeNoBits) {
  for (const char* order : {"AWC", "ATC"}) {
    const std::string set_order = absl::StrCat("algorithm.config.order=", order);
    EXPECT_EQ(Train({set_order, "train.eval_every_steps=0", "train.consensus_every_steps=0"})
                  .states[0]
                  .state_digest,
              Train({set_order, "train.eval_every_steps=2", "train.consensus_every_steps=1"})
                  .states[0]
                  .state_digest);
  }
}

// Plain gradient steps from equal parameters, then averaged: what All-Reduce does.
TEST(TrainerTest, ContinuingFromTheAverageAfterEveryStepIsAllReduce) {
  const auto loss = [](const std::vector<std::string>& set) {
    return Train(set).states[0].test.loss;
  };
  const std::vector<std::string> both = {"train.eval_every_steps=1",
                                         "train.continue_from_average=true"};
  const double centre = loss({"algorithm.name=allreduce"});
  for (const char* extra : {"algorithm.config.order=AWC", "algorithm.config.order=ATC",
                            "mixing.staleness=1", "mixing.every_steps=2"}) {
    SCOPED_TRACE(extra);
    std::vector<std::string> set = {extra, "mixing.gamma=0.5"};
    EXPECT_GT(std::abs(loss(set) - centre), 1e-6);
    set.insert(set.end(), both.begin(), both.end());
    EXPECT_NEAR(loss(set), centre, 1e-12);
  }
}

TEST(TrainerTest, ContinuingFromTheAverageIgnoresBucketsAndOverlap) {
  const std::vector<std::string> set = {"train.eval_every_steps=2",
                                        "train.continue_from_average=true"};
  std::vector<std::string> other = set;
  other.insert(other.end(), {"train.bucket_mb=25", "mixing.overlap=false"});
  EXPECT_EQ(Train(other).states[0].state_digest, Train(set).states[0].state_digest);
  EXPECT_NE(Train({}).states[0].state_digest, Train(set).states[0].state_digest);
}

TEST(TrainerTest, StepsMixAsOftenAsAskedAndKnowTheNextRound) {
  const Trained trained = Train({"algorithm.name=probe", "mixing.every_steps=2"});
  ASSERT_EQ(trained.seen.infos.size(), 5u);
  std::vector<bool> mixes;
  std::vector<int64_t> rounds;
  std::vector<std::optional<int64_t>> next;
  for (const StepInfo& info : trained.seen.infos) {
    EXPECT_EQ(info.step, static_cast<int64_t>(mixes.size()));
    mixes.push_back(info.mixes);
    if (info.mixes) rounds.push_back(info.round);
    next.push_back(info.next_round);
  }
  EXPECT_THAT(mixes, ElementsAre(true, false, true, false, true));
  EXPECT_THAT(rounds, ElementsAre(0, 1, 2));
  EXPECT_THAT(next, ElementsAre(Eq(std::nullopt), Optional(1), Eq(std::nullopt), Optional(2),
                                Eq(std::nullopt)));
}

TEST(TrainerTest, NoRoundComesAfterTheLastStep) {
  const Trained trained = Train({"algorithm.name=probe"});
  EXPECT_THAT(trained.seen.infos[3].next_round, Optional(4));
  EXPECT_EQ(trained.seen.infos[4].next_round, std::nullopt);
  EXPECT_EQ(trained.seen.infos[4].lr, 0.1);  // constant, of sgd
  EXPECT_EQ(trained.seen.infos[4].lr_max, 0.1);
}

}  // namespace
}  // namespace starling
