#include "experiments/verify.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "comm/communicator.h"
#include "comm/rehearsal.h"
#include "core/layout.h"
#include "core/registry.h"
#include "core/state.h"
#include "core/status.h"
#include "experiments/evaluator.h"
#include "experiments/faults.h"
#include "optim/membership.h"
#include "topology/analysis.h"
#include "topology/repair.h"
#include "topology/topology.h"
#include "topology/verify.h"

namespace starling {
namespace {

// What a rehearsal may cost. Both are reached in about a second.
constexpr int64_t kMaxMessages = 200'000;
constexpr int64_t kMaxSteps = 16'384;  // of all workers together

// Steps of a rehearsal beyond the topology's period: two before the first measurement, two more.
constexpr int64_t kMoreSteps = 4;

// Three buckets of one line of parameters each: enough to overtake each other.
Layout SmallLayout(DType type) {
  std::vector<TensorInfo> tensors(3);
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].name = absl::StrCat("rehearsed", i);
    tensors[i].shape = {4, kTensorPadding / 4};
  }
  return MakeLayout(std::move(tensors), /*bucket_bytes=*/1, SizeOf(type));
}

// How long the rehearsal of one era lasts. It becomes clear as it goes on, so all workers share
// one; they run one at a time and may be some steps apart, but all have ended one before the next.
class Course {
 public:
  // `last`: the first step after the era. `period`: steps in which every round of the topology is
  // used once.
  Course(int64_t first, int64_t last, int64_t period, int workers, const Rehearsal* rehearsal)
      : first_(first),
        last_(last),
        period_(period),
        rehearsal_(rehearsal),
        end_(std::min(last, first + kMaxSteps / workers)),
        furthest_(first) {}

  // A worker is about to take `step`; returns whether it should. A step that a worker was told will
  // follow (StepInfo::next_round) does follow, on all workers.
  bool Enter(int64_t step) {
    furthest_ = std::max(furthest_, step);
    if (messages_before_ < 0) messages_before_ = rehearsal_->messages();
    if (begin_ < 0 && messages() > 0) {
      begin_ = furthest_;
      end_ = std::min(end_, begin_ + period_ + kMoreSteps);
    }
    if (messages() > kMaxMessages) end_ = std::min(end_, furthest_ + 2);
    return step < end_;
  }

  bool MeasuresAfter(int64_t step) const { return begin_ >= 0 && step == begin_ + 1; }
  int64_t first() const { return first_; }
  int64_t end() const { return end_; }
  int64_t steps() const { return end_ - first_; }
  int64_t messages() const { return rehearsal_->messages() - messages_before_; }
  // Whether neither the whole era nor a period in which something is sent is rehearsed.
  bool cut_short() const { return end_ < last_ && (begin_ < 0 || end_ < begin_ + period_); }

 private:
  const int64_t first_, last_, period_;
  const Rehearsal* const rehearsal_;
  int64_t messages_before_ = -1;
  int64_t begin_ = -1;  // a step of which no worker is past the next; -1: nothing was sent yet
  int64_t end_;
  int64_t furthest_;
};

// One worker's part, as the trainer plays it, without a model.
absl::Status RehearseWorker(const Plan& plan, Communicator* comm, std::vector<Course>* courses) {
  ASSIGN_OR_RETURN(auto optimizer,
                   Registry<Optimizer>::Global().Create(plan.config.optimizer(), {}));
  ASSIGN_OR_RETURN(auto algorithm,
                   Registry<Algorithm>::Global().Create(plan.config.algorithm(), {}));
  const Layout layout = SmallLayout(plan.dtype);
  ASSIGN_OR_RETURN(const Buffer x, comm->Allocate(layout.size, plan.dtype));
  ASSIGN_OR_RETURN(const Buffer g, comm->Allocate(layout.size, plan.dtype));
  Worker worker = WorkerOf(plan, comm);
  worker.optimizer = optimizer.get();
  worker.layout = &layout;
  worker.mixing.deadline = absl::InfiniteDuration();
  RETURN_IF_ERROR(algorithm->Start(worker, x, g));
  ASSIGN_OR_RETURN(const auto evaluator,
                   Evaluator::Create(comm, plan.dataset.get(), /*model=*/nullptr, algorithm.get(),
                                     x, absl::InfiniteDuration()));
  const auto measure = [&]() -> absl::Status {
    RETURN_IF_ERROR(algorithm->Quiesce());
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    RETURN_IF_ERROR(evaluator->ConsensusDistance().status());
    return plan.config.train().continue_from_average() ? evaluator->ContinueFromAverage()
                                                       : absl::OkStatus();
  };
  const auto take = [&](const StepInfo& info) -> absl::Status {
    RETURN_IF_ERROR(algorithm->OnStepBegin(info));
    for (size_t b = 0; b < layout.buckets.size(); ++b) {
      RETURN_IF_ERROR(algorithm->OnBucketReady(info, static_cast<int>(b)));
    }
    return algorithm->OnStepEnd(info);
  };
  const auto change = [&](const Membership& before, const Membership& after) -> absl::Status {
    RETURN_IF_ERROR(ChangeMembership(before, after, worker, algorithm.get(), x, g,
                                     [](StateVisitor*) { return absl::OkStatus(); }));
    if (after.alive[worker.id]) evaluator->SetMembers(after.living());
    return absl::OkStatus();
  };
  for (size_t era = 0; era < courses->size(); ++era) {
    Course& course = (*courses)[era];
    const Membership& members = plan.eras[era].membership;
    const bool was_there = era > 0 && plan.eras[era - 1].membership.alive[worker.id];
    if (was_there || (era > 0 && members.alive[worker.id])) {
      RETURN_IF_ERROR(WithContext(change(plan.eras[era - 1].membership, members),
                                  absl::StrCat("change before step ", course.first())));
    }
    if (!members.alive[worker.id]) continue;
    for (int64_t step = course.first(); course.Enter(step); ++step) {
      const StepInfo info = StepInfoOf(plan, step, course.end(), optimizer->lr());
      RETURN_IF_ERROR(WithContext(take(info), absl::StrCat("step ", step)));
      if (!course.MeasuresAfter(step)) continue;
      RETURN_IF_ERROR(WithContext(measure(), absl::StrCat("measurement after step ", step)));
    }
    RETURN_IF_ERROR(WithContext(measure(), "measurement at the end"));
  }
  return absl::OkStatus();
}

std::string Plural(int64_t count, absl::string_view what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

// Both return what was checked, in lines; empty if there is nothing to check.
absl::StatusOr<std::string> CheckTopology(const Plan& plan) {
  if (plan.topology == nullptr) return "";
  const std::string& name = plan.config.topology().name();
  RETURN_IF_ERROR(VerifyTopology(*plan.topology, name, plan.config.workers()));
  for (const Era& era : plan.eras) {
    if (era.repaired == nullptr) continue;
    const std::vector<MixingRound> among =
        AmongLiving(PeriodOf(*era.repaired), era.membership.alive);
    const int living = among[0].workers();
    const PeriodicTopology repaired(living, among, era.repaired->facts());
    RETURN_IF_ERROR(WithContext(VerifyTopology(repaired, name, living),
                                absl::StrCat("repaired from step ", era.begin, " on")));
  }
  const int64_t period = plan.topology->facts().period;
  return absl::StrCat("  topology ", name, ": ",
                      period > 0 ? Plural(period, "round")
                                 : absl::StrCat("the first ", kRoundsIfEndless, " rounds"),
                      "\n    weights are what it claims; everything reaches every worker\n");
}

absl::StatusOr<std::string> Rehearse(const Plan& plan) {
  const int workers = plan.config.workers();
  const std::string& name = plan.config.algorithm().name();
  if (workers > kLargestRehearsedWorld) {
    return absl::StrCat("  algorithm ", name, ": not rehearsed\n    ", workers,
                        " workers are more than the ", kLargestRehearsedWorld,
                        " that are played through\n");
  }
  Rehearsal rehearsal(workers, plan.config.workers_per_node());
  std::vector<Course> courses;
  for (size_t era = 0; era < plan.eras.size() && plan.eras[era].begin < plan.steps; ++era) {
    const Topology* topology = plan.eras[era].membership.topology;
    int64_t rounds = topology == nullptr ? 1 : topology->facts().period;
    if (rounds == 0) rounds = kRoundsIfEndless;
    const int64_t last = era + 1 < plan.eras.size() ? plan.eras[era + 1].begin : plan.steps;
    courses.emplace_back(plan.eras[era].begin, std::min(last, plan.steps),
                         rounds * plan.config.mixing().every_steps(), workers, &rehearsal);
  }
  RETURN_IF_ERROR(
      rehearsal.Run([&](Communicator* comm) { return RehearseWorker(plan, comm, &courses); }));
  int64_t steps = 0;
  bool cut_short = false;
  for (const Course& course : courses) {
    steps += course.steps();
    cut_short = cut_short || course.cut_short();
  }
  std::string text = absl::StrCat(
      "  algorithm ", name, ": ", Plural(steps, "step"), " rehearsed, ",
      Plural(rehearsal.messages(), "message"),
      "\n    every message is received, nobody waits for ever, none can be confused\n");
  if (cut_short) {
    absl::StrAppend(
        &text, rehearsal.messages() == 0
                   ? "    nothing is sent in these steps; later ones were not tried\n"
                   : "    less than a period of the topology: all of it would take too long\n");
  }
  if (!plan.facts.deterministic) {
    absl::StrAppend(&text, "    one order of events of many: this algorithm depends on timing\n");
  }
  return text;
}

// Says so if the plan rests on what the config says of data that are not here.
std::string DataNote(const Plan& plan) {
  if (plan.dataset->Available().ok()) return "";
  return absl::StrCat("  dataset ", plan.config.dataset().name(),
                      ": not on this machine; taken as the config expects it\n");
}

}  // namespace

absl::StatusOr<std::string> VerifyPlan(const Plan& plan, const TextLocations& locations) {
  const auto topology = CheckTopology(plan);
  if (!topology.ok()) {
    return ProblemsStatus({{"topology", std::string(topology.status().message())}}, locations);
  }
  const auto rehearsed = Rehearse(plan);
  if (!rehearsed.ok()) {
    return ProblemsStatus(
        {{"algorithm", absl::StrCat("algorithm \"", plan.config.algorithm().name(),
                                    "\": ", rehearsed.status().message())}},
        locations);
  }
  return absl::StrCat(DataNote(plan), *topology, *rehearsed,
                      FaultsText(plan.config.faults(), plan.eras, plan.steps));
}

}  // namespace starling
