#include "optim/fused_optimizer.h"

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/state.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

struct Config {
  double lr() const { return 0.5; }
  double weight_decay() const { return 0.25; }
  bool decay_all() const { return all; }
  bool all = false;
};

// Records its passes instead of computing.
class Recorder final : public FusedOptimizer {
 public:
  struct Pass {
    int64_t offset, count;
    double weight_decay;
    const void* state;
    bool operator==(const Pass& o) const {
      return std::tie(offset, count, weight_decay, state) ==
             std::tie(o.offset, o.count, o.weight_decay, o.state);
    }
  };

  explicit Recorder(const Config& config) : FusedOptimizer(SettingsOf(config), {"s"}) {}
  bool has_momentum() const override { return false; }
  std::vector<Pass> TakePasses() { return std::exchange(passes_, {}); }

 private:
  void RunPass(const ops::FusedPass& pass, double, double weight_decay) override {
    passes_.push_back({pass.range.offset, pass.range.count, weight_decay, pass.state[0].data});
  }

  std::vector<Pass> passes_;
};

// weight, bias, norm, weight, weight: 32 elements each.
Layout TestLayout() {
  std::vector<TensorInfo> tensors;
  for (bool decay : {true, false, false, true, true}) {
    TensorInfo tensor;
    tensor.shape = {20};
    tensor.decay = decay;
    tensors.push_back(tensor);
  }
  return MakeLayout(std::move(tensors), /*bucket_bytes=*/1, /*element_bytes=*/4);
}

class StateFinder final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    names.push_back(std::string(name));
    if (name == "s") data = state.data;
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

  std::vector<std::string> names;
  void* data = nullptr;
};

class FusedOptimizerTest : public testing::Test {
 protected:
  // The passes of an Update of this range.
  std::vector<Recorder::Pass> Passes(Recorder* optimizer, int64_t offset, int64_t count) {
    UpdateArgs args;
    args.offset = offset;
    args.x = AsBuffer(absl::MakeSpan(x_)).Slice(offset, count);
    args.gradient = args.x;
    CHECK_OK(optimizer->Update(args));
    return optimizer->TakePasses();
  }

  const Layout layout_ = TestLayout();
  std::vector<float> x_ = std::vector<float>(layout_.size);
};

TEST_F(FusedOptimizerTest, RunsOncePerRunOfEqualDecay) {
  Recorder optimizer({});
  CHECK_OK(optimizer.Start(layout_, DType::kF32, Place::kHost));
  optimizer.BeginStep();
  StateFinder finder;
  CHECK_OK(optimizer.VisitState(&finder));
  EXPECT_EQ(finder.names, (std::vector<std::string>{"s", "step"}));
  const float* s = static_cast<float*>(finder.data);
  using Passes = std::vector<Recorder::Pass>;
  EXPECT_EQ(this->Passes(&optimizer, 0, 160),
            (Passes{{0, 32, 0.25, s}, {32, 64, 0, s}, {96, 64, 0.25, s}}));
  EXPECT_EQ(this->Passes(&optimizer, 64, 64), (Passes{{0, 32, 0, s + 64}, {32, 32, 0.25, s + 64}}));
  EXPECT_EQ(this->Passes(&optimizer, 128, 32), (Passes{{0, 32, 0.25, s + 128}}));
}

TEST_F(FusedOptimizerTest, DecayAllIsOnePass) {
  Config config;
  config.all = true;
  Recorder optimizer(config);
  CHECK_OK(optimizer.Start(layout_, DType::kF32, Place::kHost));
  optimizer.BeginStep();
  const auto passes = Passes(&optimizer, 0, 160);
  ASSERT_EQ(passes.size(), 1u);
  EXPECT_EQ(passes[0].count, 160);
}

TEST_F(FusedOptimizerTest, RefusesMisuse) {
  Recorder optimizer({});
  CHECK_OK(optimizer.Start(layout_, DType::kF32, Place::kHost));
  EXPECT_DEATH(Passes(&optimizer, 0, 160), "Update before BeginStep");
  optimizer.BeginStep();
  UpdateArgs args;
  args.offset = 32;
  args.x = args.gradient = AsBuffer(absl::MakeSpan(x_));
  EXPECT_DEATH((void)optimizer.Update(args), "\\[32, 192\\) in a layout of 160 elements");
}

}  // namespace
}  // namespace starling
