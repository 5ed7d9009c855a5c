#include "experiments/verify.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"
#include "optim/algorithm_base.h"
#include "topology/topology.h"

namespace starling {
namespace {

using ::google::protobuf::Empty;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// An algorithm that does in every step what `Faults::Step` does with x of bucket 0, and what
// `Faults::Quiesce` does when it has to be quiet.
template <typename Faults>
class Faulty final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const Empty&, const Context&) {
    return std::make_unique<Faulty>();
  }
  AlgorithmFacts facts() const override { return Faults::Facts(); }
  absl::Status OnBucketReady(const StepInfo&, int) override { return absl::OkStatus(); }
  absl::Status OnStepEnd(const StepInfo& info) override { return faults_.Step(this, info); }
  absl::Status Quiesce() override { return faults_.Quiesce(this); }
  absl::Status OnMembership(const Membership&) override { return absl::OkStatus(); }

  Communicator* comm() const { return worker().comm; }
  int rank() const { return worker().id; }
  int next() const { return (rank() + 1) % worker().count; }
  int previous() const { return (rank() + worker().count - 1) % worker().count; }
  Buffer part(int offset, int count) const { return x(0).Slice(offset, count); }

  absl::Status Now(const std::vector<Send>& sends, const std::vector<Receive>& receives) const {
    ASSIGN_OR_RETURN(auto work, comm()->Exchange(sends, receives, {}));
    return work->Wait();
  }

 private:
  Faults faults_;
};

struct NoFaults {
  static AlgorithmFacts Facts() { return {}; }
  template <typename A>
  absl::Status Quiesce(A*) {
    return absl::OkStatus();
  }
};
MessageKey Key(const StepInfo& info) { return {5, info.step, 0, 0}; }

// From step 2 on, worker 0 is told something that nobody says.
struct Hearing : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    if (info.step < 2 || a->rank() != 0) return absl::OkStatus();
    return a->Now({}, {{a->next(), Key(info), a->part(0, 8)}});
  }
};

// Everybody first receives from the next, then sends to the previous.
struct Polite : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    RETURN_IF_ERROR(a->Now({}, {{a->next(), Key(info), a->part(0, 8)}}));
    return a->Now({{a->previous(), Key(info), a->part(8, 8)}}, {});
  }
};

// Two messages with one key.
struct Ambiguous : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    return a->Now(
        {{a->next(), Key(info), a->part(0, 8)}, {a->next(), Key(info), a->part(8, 8)}},
        {{a->previous(), Key(info), a->part(16, 8)}, {a->previous(), Key(info), a->part(24, 8)}});
  }
};

// Worker 1 has another idea of the size.
struct Missized : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    return a->Now({{a->next(), Key(info), a->part(0, 8)}},
                  {{a->previous(), Key(info), a->part(8, a->rank() == 1 ? 4 : 8)}});
  }
};

// Sends and forgets.
struct Careless : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    return a->comm()
        ->Exchange({{a->next(), Key(info), a->part(0, 8)}},
                   {{a->previous(), Key(info), a->part(8, 8)}}, {})
        .status();
  }
};

// A stop at which everybody waits for everybody, but worker 0 comes only every second step.
struct Uneven : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    if (a->rank() == 0 && info.step % 2 == 1) return absl::OkStatus();
    return a->Now({{a->next(), Key(info), a->part(0, 8)}},
                  {{a->previous(), Key(info), a->part(8, 8)}});
  }
};

// Fine while it trains; when it has to be quiet, worker 0 says one thing more.
struct Restless : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    return a->Now({{a->next(), Key(info), a->part(0, 8)}},
                  {{a->previous(), Key(info), a->part(8, 8)}});
  }
  template <typename A>
  absl::Status Quiesce(A* a) {
    if (a->rank() != 0) return absl::OkStatus();
    return a->Now({{a->next(), {6, 0, 0, 0}, a->part(0, 8)}}, {});
  }
};

struct Failing : NoFaults {
  template <typename A>
  absl::Status Step(A*, const StepInfo&) {
    return absl::UnimplementedError("not yet");
  }
};

// Begins to talk in step 50.
struct Late : NoFaults {
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    if (info.step < 50) return absl::OkStatus();
    return a->Now({{a->next(), Key(info), a->part(0, 8)}},
                  {{a->previous(), Key(info), a->part(8, 8)}});
  }
};

// Listens to anyone, and says that this depends on timing.
struct Open : NoFaults {
  static AlgorithmFacts Facts() {
    AlgorithmFacts facts;
    facts.deterministic = false;
    return facts;
  }
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    return a->Now({{a->next(), Key(info), a->part(0, 8)}}, {{kAnyone, Key(info), a->part(8, 8)}});
  }
};

// Does not listen when it is told that a worker has left.
struct Deaf : NoFaults {
  static AlgorithmFacts Facts() {
    AlgorithmFacts facts;
    facts.takes_membership = true;
    return facts;
  }
  template <typename A>
  absl::Status Step(A* a, const StepInfo& info) {
    return a->Now({{a->next(), Key(info), a->part(0, 8)}},
                  {{a->previous(), Key(info), a->part(8, 8)}});
  }
};

#define REGISTER_FAULTY(Name, name)  \
  using Faulty##Name = Faulty<Name>; \
  STARLING_REGISTER_PLUGIN(Algorithm, Faulty##Name, Empty, PluginFacts{name, "for tests"})
REGISTER_FAULTY(Hearing, "hearing");
REGISTER_FAULTY(Polite, "polite");
REGISTER_FAULTY(Ambiguous, "ambiguous");
REGISTER_FAULTY(Missized, "missized");
REGISTER_FAULTY(Careless, "careless");
REGISTER_FAULTY(Uneven, "uneven");
REGISTER_FAULTY(Restless, "restless");
REGISTER_FAULTY(Failing, "failing");
REGISTER_FAULTY(Late, "late");
REGISTER_FAULTY(Open, "open");
REGISTER_FAULTY(Deaf, "deaf");

// Claims to be doubly stochastic, whatever its one round is.
template <typename Shape>
class Liar final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;
  static absl::StatusOr<std::unique_ptr<Topology>> Create(const Empty&, const Context& context) {
    TopologyFacts facts;
    facts.columns_sum_to_one = facts.symmetric = true;
    return std::make_unique<Liar>(context.workers,
                                  std::vector<MixingRound>{Shape::Round(context.workers)}, facts);
  }
};
struct WrongWeight {
  static MixingRound Round(int n) {
    std::vector<Edge> edges;
    for (int i = 0; i < n; ++i) {
      edges.push_back({i, i, 0.5});
      edges.push_back({i, (i + 1) % n, i == 1 ? 0.25 : 0.5});
    }
    return MixingRound::FromEdges(n, edges);
  }
};
struct Halves {
  static MixingRound Round(int n) {
    std::vector<std::vector<int>> groups(2);
    for (int i = 0; i < n; ++i) groups[2 * i / n].push_back(i);
    return MixingRound::FromGroups(n, groups);
  }
};
using LiarOfWeights = Liar<WrongWeight>;
using LiarOfHalves = Liar<Halves>;
STARLING_REGISTER_PLUGIN(Topology, LiarOfWeights, Empty, PluginFacts{"wrong_weight", "for tests"});
STARLING_REGISTER_PLUGIN(Topology, LiarOfHalves, Empty, PluginFacts{"halves", "for tests"});

// A config of four workers with these fields.
absl::StatusOr<std::string> Verified(const std::string& fields, const std::string& train = "") {
  Experiment config;
  TextLocations locations;
  RETURN_IF_ERROR(
      ParseText(absl::StrCat("workers: 4\n", fields,
                             "\nmodel { name: \"quadratic\" } dataset { name: \"no_data\" }\n"
                             "train { local_batch_size: 1 max_steps: 1000 ",
                             train, " }\n"),
                "e.txt", &config, &locations));
  std::vector<std::string> notes;
  RETURN_IF_ERROR(ResolveExperiment(locations, &config, &notes));
  ASSIGN_OR_RETURN(const auto plan, MakePlan(config, locations));
  return VerifyPlan(*plan, locations);
}

std::string Problem(const std::string& fields) {
  const auto verified = Verified(fields);
  EXPECT_TRUE(absl::IsInvalidArgument(verified.status())) << verified.status();
  return std::string(verified.status().message());
}

std::string ProblemOf(const std::string& algorithm) {
  return Problem(
      absl::StrCat("topology { name: \"ring\" }\nalgorithm { name: \"", algorithm, "\" }"));
}

TEST(VerifyPlan, SaysWhatItHasChecked) {
  const auto verified = Verified("topology { name: \"ring\" }");
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(*verified,
            "  topology ring: 1 round\n"
            "    weights are what it claims; everything reaches every worker\n"
            "  algorithm gossip: 5 steps rehearsed, 120 messages\n"
            "    every message is received, nobody waits for ever, none can be confused\n");
}

TEST(VerifyPlan, WithoutATopologyOnlyTheAlgorithmIsChecked) {
  const auto verified = Verified("algorithm { name: \"allreduce\" }");
  ASSERT_TRUE(verified.ok()) << verified.status();
  // Each of 4 workers sends each bucket to 3 others, twice.
  EXPECT_EQ(*verified,
            "  algorithm allreduce: 5 steps rehearsed, 360 messages\n"
            "    every message is received, nobody waits for ever, none can be confused\n");
}

TEST(VerifyPlan, ChangesOfTheWorldAreRehearsed) {
  const std::string leave = "faults { leave { worker: 3 at_step: 300 return_at_step: 400 } }";
  for (const char* algorithm : {"gossip", "allreduce"}) {
    const auto verified = Verified(absl::StrCat("topology { name: \"ring\" } algorithm { name: \"",
                                                algorithm, "\" }\n", leave));
    ASSERT_TRUE(verified.ok()) << verified.status();
    EXPECT_THAT(*verified, ContainsRegex(": 1[5-7] steps rehearsed"));  // 5 each, or one more
    EXPECT_THAT(*verified, HasSubstr("  worker 3 leaves at step 300 and returns at 400\n"));
    EXPECT_THAT(*verified, Not(HasSubstr("less than a period")));
  }
  // Whoever goes on as if all were there waits for one who is not.
  EXPECT_THAT(
      Problem(absl::StrCat("topology { name: \"ring\" } algorithm { name: \"deaf\" }\n", leave)),
      HasSubstr("step 300: "));
}

TEST(VerifyPlan, WhatNobodySendsIsNamed) {
  EXPECT_EQ(ProblemOf("hearing"),
            "e.txt:3:1: algorithm \"hearing\": step 2: nobody can go on: worker 0 waits for worker "
            "1 to send stream 5, round 2, bucket 0, part 0; worker 1 waits in a measurement for "
            "worker 0 to send stream 65535, round 0, bucket 0, part 1");
}

TEST(VerifyPlan, TheCycleOfWaitsIsPrinted) {
  EXPECT_EQ(ProblemOf("polite"),
            "e.txt:3:1: algorithm \"polite\": step 0: nobody can go on: "
            "worker 0 waits for worker 1 to send stream 5, round 0, bucket 0, part 0; "
            "worker 1 waits for worker 2 to send stream 5, round 0, bucket 0, part 0; "
            "worker 2 waits for worker 3 to send stream 5, round 0, bucket 0, part 0; "
            "worker 3 waits for worker 0 to send stream 5, round 0, bucket 0, part 0");
}

TEST(VerifyPlan, MessagesThatCanBeConfusedAreNamed) {
  EXPECT_EQ(ProblemOf("ambiguous"),
            "e.txt:3:1: algorithm \"ambiguous\": step 0: worker 0 awaits stream 5, round 0, bucket "
            "0, part 0 from worker 3 while it may still await an earlier message with this key: "
            "the two can be confused");
}

TEST(VerifyPlan, WrongSizesAreNamed) {
  EXPECT_EQ(ProblemOf("missized"),
            "e.txt:3:1: algorithm \"missized\": step 0: worker 0 sends 8 F32 as stream 5, round 0, "
            "bucket 0, part 0, and worker 1 has room for 4 F32");
}

TEST(VerifyPlan, LostMessagesAreNamed) {
  EXPECT_THAT(ProblemOf("careless"),
              HasSubstr("worker 0 sends stream 5, round 0, bucket 0, part 0 to worker 1 and drops "
                        "the exchange without waiting for its end"));
}

TEST(VerifyPlan, AWorkerThatSkipsAStepIsNamed) {
  EXPECT_THAT(ProblemOf("uneven"),
              HasSubstr("worker 1 waits for worker 0 to send stream 5, round 1, bucket 0, part 0"));
}

TEST(VerifyPlan, QuietMustBeQuiet) {
  const std::string problem = ProblemOf("restless");
  EXPECT_THAT(problem, HasSubstr("measurement after step "));
  EXPECT_THAT(problem, HasSubstr("worker 0 waits for worker 1 to take stream 6, round 0"));
}

TEST(VerifyPlan, AnAlgorithmsOwnErrorIsPassedOn) {
  EXPECT_EQ(ProblemOf("failing"), "e.txt:3:1: algorithm \"failing\": worker 0: step 0: not yet");
}

TEST(VerifyPlan, FalseClaimsOfATopologyAreNamed) {
  EXPECT_EQ(Problem("topology { name: \"wrong_weight\" }"),
            "e.txt:2:1: topology \"wrong_weight\": it claims that rows sum to one, but in round 0 "
            "the weights of what reaches worker 1 sum to 0.75");
  EXPECT_EQ(Problem("topology { name: \"halves\" }"),
            "e.txt:2:1: topology \"halves\": workers 0-1 and workers 2-3 exchange nothing in its "
            "round, so they never agree");
}

TEST(VerifyPlan, TheRehearsalWaitsForTheFirstMessage) {
  const auto late = Verified("topology { name: \"ring\" } algorithm { name: \"late\" }");
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_THAT(*late, HasSubstr("late: 55 steps rehearsed, 20 messages"));
  EXPECT_THAT(*late, Not(HasSubstr("period")));
}

TEST(VerifyPlan, ShortRunsAreRehearsedWhole) {
  const std::string fields = "topology { name: \"ring\" } algorithm { name: \"late\" }";
  const auto silent = Verified(fields, "epochs: 0.1");  // ends before the first message
  ASSERT_TRUE(silent.ok()) << silent.status();
  EXPECT_THAT(*silent, HasSubstr(" steps rehearsed, 0 messages"));
  EXPECT_THAT(*silent, Not(HasSubstr("not tried")));
}

TEST(VerifyPlan, SaysWhatItDidNotTry) {
  const auto timing = Verified("topology { name: \"ring\" } algorithm { name: \"open\" }");
  ASSERT_TRUE(timing.ok()) << timing.status();
  EXPECT_THAT(*timing, HasSubstr("one order of events of many"));
  const auto rare = Verified("topology { name: \"ring\" } mixing { every_steps: 500 }");
  ASSERT_TRUE(rare.ok()) << rare.status();
  EXPECT_THAT(*rare, HasSubstr("gossip: 504 steps rehearsed, 48 messages"));
}

}  // namespace
}  // namespace starling
