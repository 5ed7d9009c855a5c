#include "optim/membership.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/layout.h"
#include "core/state.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_testing.h"
#include "optim/optimizer.h"
#include "optim/worker.h"
#include "topology/repair.h"
#include "topology/topology.h"

namespace starling {
namespace {

std::shared_ptr<const Topology> RingOf(int workers) {
  for (const NamedTopology& named : TestTopologies(workers)) {
    if (named.name == "ring") return named.topology;
  }
  return nullptr;
}

Membership MembersOf(const std::vector<bool>& alive, const Topology* topology = nullptr) {
  Membership membership;
  membership.alive = alive;
  membership.topology = topology;
  return membership;
}

TEST(Membership, TheLowestLiveNeighbourGives) {
  const auto ring = RingOf(5);
  const Membership all = MembersOf({true, true, true, true, true}, ring.get());
  EXPECT_EQ(GiverTo(2, MembersOf({true, true, false, true, true}), all), 1);
  EXPECT_EQ(GiverTo(2, MembersOf({true, false, false, true, true}), all), 3);
  // No neighbour was there: who was. Nor is there a topology.
  EXPECT_EQ(GiverTo(2, MembersOf({false, false, false, false, true}), all), 4);
  EXPECT_EQ(GiverTo(2, MembersOf({false, true, false, true, true}),
                    MembersOf({false, true, true, true, true})),
            1);
  // Who leaves in that moment gives nothing.
  EXPECT_EQ(GiverTo(2, MembersOf({true, true, false, true, true}),
                    MembersOf({true, false, true, true, true}, ring.get())),
            3);
}

// All numbers that an optimizer keeps.
class Numbers final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view, Buffer state) override {
    if (state.type == DType::kF64) {
      const auto part = state.as<double>();
      values.insert(values.end(), part.begin(), part.end());
    }
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

  std::vector<double> values;
};

struct Found {
  std::vector<double> x, moments;
  std::string statistics;
};

// Four workers on a ring take a step; worker 2 leaves, the others take another, it returns.
std::vector<Found> LeaveAndReturn(const std::string& name) {
  const auto ring = RingOf(4);
  const auto repaired = RepairTopology(*ring, {true, true, false, true});
  EXPECT_TRUE(repaired.ok()) << repaired.status();
  std::vector<Found> found(4);
  EXPECT_EQ(RunWorkers(
                4, 2,
                [&](Communicator* comm) -> absl::Status {
                  const int rank = comm->rank();
                  const Layout layout = TestLayout(1 << 20, DType::kF64);
                  Arena x(layout.size, DType::kF64), g(layout.size, DType::kF64);
                  x.buffer().as<double>()[0] = rank;
                  ASSIGN_OR_RETURN(auto optimizer, CreateFromText<Optimizer>("adam", ""));
                  ASSIGN_OR_RETURN(auto algorithm, CreateFromText<Algorithm>(name, ""));
                  const bool mixes = algorithm->facts().needs_topology;
                  Worker worker;
                  worker.id = rank;
                  worker.count = 4;
                  worker.comm = comm;
                  worker.topology = mixes ? ring.get() : nullptr;
                  worker.optimizer = optimizer.get();
                  worker.layout = &layout;
                  RETURN_IF_ERROR(algorithm->Start(worker, x.buffer(), g.buffer()));
                  const auto take = [&](int64_t step) -> absl::Status {
                    StepInfo info;
                    info.step = info.round = step;
                    info.lr = 0.1;
                    RETURN_IF_ERROR(algorithm->OnStepBegin(info));
                    g.buffer().as<double>()[0] = 1 + rank;
                    RETURN_IF_ERROR(algorithm->OnBucketReady(info, 0));
                    return algorithm->OnStepEnd(info);
                  };
                  std::string statistics = absl::StrCat("of worker ", rank);
                  const auto go = [&](const Membership& before, const Membership& after) {
                    return ChangeMembership(before, after, worker, algorithm.get(), x.buffer(),
                                            g.buffer(), [&](StateVisitor* visitor) {
                                              return visitor->VisitBytes("statistics", &statistics);
                                            });
                  };
                  const Membership all = MembersOf({true, true, true, true}, worker.topology);
                  const Membership three =
                      MembersOf({true, true, false, true}, mixes ? repaired->get() : nullptr);
                  RETURN_IF_ERROR(take(0));
                  RETURN_IF_ERROR(go(all, three));
                  if (rank != 2) RETURN_IF_ERROR(take(1));
                  RETURN_IF_ERROR(go(three, all));
                  Numbers numbers;
                  RETURN_IF_ERROR(optimizer->VisitState(&numbers));
                  const auto values = x.buffer().as<double>();
                  found[rank] = {{values.begin(), values.end()}, numbers.values, statistics};
                  return absl::OkStatus();
                }),
            absl::OkStatus());
  return found;
}

bool AllZero(const std::vector<double>& values) {
  for (double value : values) {
    if (value != 0) return false;
  }
  return true;
}

TEST(Membership, WhoReturnsHasTheModelOfANeighbourAndFreshMoments) {
  const std::vector<Found> found = LeaveAndReturn("gossip");
  EXPECT_NE(found[0].x, found[1].x);
  EXPECT_EQ(found[2].x, found[1].x);
  EXPECT_EQ(found[2].statistics, "of worker 1");
  EXPECT_EQ(found[3].statistics, "of worker 3");
  ASSERT_FALSE(found[2].moments.empty());
  EXPECT_TRUE(AllZero(found[2].moments));
  for (int rank : {0, 1, 3}) EXPECT_FALSE(AllZero(found[rank].moments)) << rank;
}

TEST(Membership, WhoReturnsTakesOverWhatIsEqualOnAllWorkers) {
  const std::vector<Found> found = LeaveAndReturn("allreduce");
  EXPECT_EQ(found[2].x, found[0].x);
  EXPECT_EQ(found[2].statistics, "of worker 0");
  EXPECT_FALSE(AllZero(found[2].moments));
  EXPECT_EQ(found[2].moments, found[0].moments);
}

}  // namespace
}  // namespace starling
