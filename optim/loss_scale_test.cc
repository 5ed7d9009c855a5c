#include "optim/loss_scale.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/state_tensors.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class LossScaleTest : public testing::Test {
 protected:
  using Body = std::function<absl::Status(Communicator*, LossScale*)>;

  static void RunWith(int workers, const Body& body) {
    EXPECT_EQ(RunWorkers(workers, /*workers_per_node=*/2,
                         [&](Communicator* comm) -> absl::Status {
                           ASSIGN_OR_RETURN(const auto scale,
                                            LossScale::Create(comm, DType::kF32, absl::Minutes(1)));
                           return body(comm, scale.get());
                         }),
              absl::OkStatus());
  }

  // One step with a bucket of these numbers; returns what became of them.
  static std::vector<float> Step(Communicator* comm, LossScale* scale, int64_t step,
                                 std::vector<float> gradient) {
    scale->Unscale(AsBuffer(absl::MakeSpan(gradient)));
    std::vector<int> all(comm->size());
    std::iota(all.begin(), all.end(), 0);
    CHECK_OK(scale->EndStep(step, all));
    return gradient;
  }
};

TEST_F(LossScaleTest, UnscalesExactly) {
  RunWith(1, [](Communicator* comm, LossScale* scale) {
    const float x = 1.1f, tiny = 6e-8f;
    const auto s = static_cast<float>(scale->value());
    EXPECT_EQ(Step(comm, scale, 0, {x * s, -tiny * s, 0}), (std::vector<float>{x, -tiny, 0}));
    return absl::OkStatus();
  });
}

// Worker 2's gradient overflows in the second window: until its end is known to all, one window
// later, nothing changes; then the scale halves everywhere, at the same step.
TEST_F(LossScaleTest, HalvesEverywhereAtTheSameStep) {
  constexpr int64_t kWindow = LossScale::kWindow;
  RunWith(4, [](Communicator* comm, LossScale* scale) {
    for (int64_t step = 0; step < 6 * kWindow; ++step) {
      const bool overflows = comm->rank() == 2 && step == kWindow + 1;
      const auto infinite = static_cast<float>(kInfinity);
      const auto s = static_cast<float>(scale->value());
      EXPECT_EQ(Step(comm, scale, step, {s, overflows ? infinite : 2 * s, 3 * s}),
                overflows ? std::vector<float>({0, 0, 0}) : std::vector<float>({1, 2, 3}));
      const bool known = step + 1 >= 3 * kWindow;
      EXPECT_EQ(scale->value(), known ? LossScale::kInitial / 2 : LossScale::kInitial) << step;
    }
    return absl::OkStatus();
  });
}

TEST_F(LossScaleTest, DoublesAfterLongEnoughAndStaysInItsBounds) {
  RunWith(2, [](Communicator* comm, LossScale* scale) {
    int64_t step = 0;
    // The sum of the last window is still on its way.
    const int64_t doubles_at = LossScale::kGrowthSteps + LossScale::kWindow;
    for (; step < doubles_at - 1; ++step) Step(comm, scale, step, {1});
    EXPECT_EQ(scale->value(), LossScale::kInitial);
    Step(comm, scale, step++, {1});
    EXPECT_EQ(scale->value(), 2 * LossScale::kInitial);
    for (; step < 20 * doubles_at; ++step) Step(comm, scale, step, {1});
    EXPECT_EQ(scale->value(), LossScale::kLargest);
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    for (const int64_t end = step + 30 * LossScale::kWindow; step < end; ++step) {
      Step(comm, scale, step, {nan});
    }
    EXPECT_EQ(scale->value(), LossScale::kSmallest);
    return absl::OkStatus();
  });
}

// Stopped and resumed anywhere in a window, with a sum to come or under way, it goes on as it would
// have.
TEST_F(LossScaleTest, GoesOnFromItsState) {
  for (int64_t ahead = 0; ahead < LossScale::kWindow; ++ahead) {
    RunWith(3, [ahead](Communicator* comm, LossScale* scale) -> absl::Status {
      ASSIGN_OR_RETURN(const auto resumed, LossScale::Create(comm, DType::kF32, absl::Minutes(1)));
      const auto gradient = [&](int64_t step) {
        const bool overflows = step % 11 == 3 * comm->rank();
        return std::vector<float>{overflows ? static_cast<float>(kInfinity) : 1.0f};
      };
      const int64_t stop = 6 * LossScale::kWindow + ahead;
      int64_t step = 0;
      for (; step < stop; ++step) Step(comm, scale, step, gradient(step));
      TensorSaver saver(/*layout=*/nullptr);
      CHECK_OK(scale->VisitState(&saver));
      TensorLoader loader(/*layout=*/nullptr, &saver.tensors());
      CHECK_OK(resumed->VisitState(&loader));
      CHECK_OK(loader.CheckAllUsed());
      std::vector<double> went_on, would_have;
      for (; step < 2 * stop; ++step) {
        Step(comm, scale, step, gradient(step));
        would_have.push_back(scale->value());
      }
      for (step = stop; step < 2 * stop; ++step) {
        Step(comm, resumed.get(), step, gradient(step));
        went_on.push_back(resumed->value());
      }
      EXPECT_EQ(went_on, would_have);
      EXPECT_LT(went_on.back(), went_on.front());
      return absl::OkStatus();
    });
  }
}

}  // namespace
}  // namespace starling
