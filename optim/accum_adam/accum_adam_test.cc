#include <cmath>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/layout.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/optimizer.h"
#include "optim/optimizer_conformance.h"

namespace starling {
namespace {

struct Constants {
  int window = 4;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false, decay_all = false;
};

// As the package decent-dp states it.
ReferenceRule Reference(const Constants& c) {
  return [c](const ReferenceStep& s, ReferenceState& state) {
    auto& [b, m, v] = state;
    const double k = std::ceil(static_cast<double>(s.step) / c.window);
    const double decay = s.decays || c.decay_all ? c.weight_decay : 0;
    double x = s.x, g = s.gradient;
    if (c.decoupled) x *= 1 - s.lr * decay;
    if (!c.decoupled) g += decay * x;
    b += g / c.window;
    const double mc = c.beta1 * m + (1 - c.beta1) * g;
    const double vc = c.beta2 * v + (1 - c.beta2) * g * g;
    x -= s.lr / (1 - std::pow(c.beta1, k)) * mc /
         (std::sqrt(vc) / std::sqrt(1 - std::pow(c.beta2, k)) + c.eps);
    if (s.step % c.window == 0) {
      m = c.beta1 * m + (1 - c.beta1) * b;
      v = c.beta2 * v + (1 - c.beta2) * b * b;
      b = 0;
    }
    return x;
  };
}

std::vector<OptimizerCase> Cases() {
  Constants defaults, one, three, l2, w, w_all;
  one.window = 1;
  three.window = 3;
  three.beta1 = 0.8;
  three.beta2 = 0.98;
  three.eps = 1e-4;
  l2.weight_decay = 0.1;
  w.weight_decay = 0.1;
  w.decoupled = true;
  w_all = w;
  w_all.decay_all = true;
  w_all.window = 2;
  return {
      {"Defaults", "accum_adam", "", Reference(defaults)},
      {"WindowOfOne", "accum_adam", "window: 1", Reference(one)},
      {"WindowOfThree", "accum_adam", "window: 3 beta1: 0.8 beta2: 0.98 eps: 1e-4",
       Reference(three)},
      {"Decay", "accum_adam", "weight_decay: 0.1", Reference(l2)},
      {"AccumAdamW", "accum_adamw", "", Reference(w)},
      {"AccumAdamWDecayAll", "accum_adamw", "window: 2 decay_all: true", Reference(w_all),
       /*spares_biases=*/false},
  };
}

INSTANTIATE_TEST_SUITE_P(AccumAdam, OptimizerConformanceTest, testing::ValuesIn(Cases()), CaseName);
INSTANTIATE_TEST_SUITE_P(AccumAdam, OptimizerReferenceTest, testing::ValuesIn(Cases()), CaseName);

// One tensor of `count` elements.
Layout LayoutOf(int64_t count) {
  TensorInfo tensor;
  tensor.name = "x";
  tensor.shape = {1, count};
  return MakeLayout({tensor}, /*bucket_bytes=*/1, /*element_bytes=*/8);
}

// Computed once from the package's update rule: x starts at 0, lr is 0.1.
TEST(AccumAdamTest, GoldenSequence) {
  const std::pair<const char*, double> kGolden[] = {{"window: 1", -0.36262461681934255},
                                                    {"window: 2", -0.3755933344950561}};
  for (const auto& [config, expected] : kGolden) {
    const Layout layout = LayoutOf(1);
    const auto optimizer = CreateFromText<Optimizer>("accum_adam", config).value();
    CHECK_OK(optimizer->Start(layout, DType::kF64, Place::kHost));
    Arena x(layout.size, DType::kF64), gradient(layout.size, DType::kF64);
    for (double g : {1.0, -0.5, 0.25, 2.0, -1.0, 0.5, 0.75, -0.25}) {
      gradient.buffer().as<double>()[0] = g;
      optimizer->BeginStep();
      UpdateArgs args;
      args.x = x.buffer();
      args.gradient = gradient.buffer();
      args.lr = 0.1;
      CHECK_OK(optimizer->Update(args));
    }
    EXPECT_NEAR(x.buffer().as<double>()[0], expected, 1e-15) << config;
  }
}

TEST(AccumAdamTest, Defaults) {
  for (const char* name : {"accum_adam", "accum_adamw"}) {
    EXPECT_EQ(CreateFromText<Optimizer>(name, "").value()->lr(), 1e-3);
    EXPECT_TRUE(CreateFromText<Optimizer>(name, "").value()->has_momentum());
  }
}

TEST(AccumAdamTest, WindowIsAtLeastOne) {
  EXPECT_EQ(CreateFromText<Optimizer>("accum_adam", "window: 0").status().message(),
            "optimizer \"accum_adam\": window is 0; it must be at least 1 steps");
}

}  // namespace
}  // namespace starling
