#include <cmath>
#include <vector>

#include "core/create_from_text.h"
#include "gtest/gtest.h"
#include "optim/optimizer.h"
#include "optim/optimizer_conformance.h"

namespace starling {
namespace {

struct Constants {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false, decay_all = false;
};

// Algorithm 1 of the Adam paper and algorithm 2 of the AdamW paper, moments corrected one by one.
ReferenceRule Reference(const Constants& c) {
  return [c](const ReferenceStep& s, ReferenceState& state) {
    auto& [m, v, unused] = state;
    const double decay = s.decays || c.decay_all ? c.weight_decay : 0;
    double g = s.gradient;
    if (!c.decoupled) g += decay * s.x;
    m = c.beta1 * m + (1 - c.beta1) * g;
    v = c.beta2 * v + (1 - c.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(c.beta1, s.step));
    const double v_hat = v / (1 - std::pow(c.beta2, s.step));
    const double direction = m_hat / (std::sqrt(v_hat) + c.eps);
    if (c.decoupled) return s.x - s.lr * direction - s.lr * decay * s.x;
    return s.x - s.lr * direction;
  };
}

std::vector<OptimizerCase> Cases() {
  Constants defaults, l2, betas, w, w_all;
  l2.weight_decay = 0.1;
  betas = {0.974, 0.98, 1e-3};
  w.weight_decay = 0.01;
  w.decoupled = true;
  w_all = w;
  w_all.weight_decay = 0.5;
  w_all.decay_all = true;
  return {
      {"Defaults", "adam", "", Reference(defaults)},
      {"Decay", "adam", "weight_decay: 0.1", Reference(l2)},
      {"Betas", "adam", "beta1: 0.974 beta2: 0.98 eps: 1e-3", Reference(betas)},
      {"AdamW", "adamw", "", Reference(w)},
      {"AdamWDecayAll", "adamw", "weight_decay: 0.5 decay_all: true", Reference(w_all),
       /*spares_biases=*/false},
  };
}

INSTANTIATE_TEST_SUITE_P(Adam, OptimizerConformanceTest, testing::ValuesIn(Cases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Adam, OptimizerReferenceTest, testing::ValuesIn(Cases()), CaseName);

TEST(AdamTest, Defaults) {
  for (const char* name : {"adam", "adamw"}) {
    const auto adam = CreateFromText<Optimizer>(name, "").value();
    EXPECT_EQ(adam->lr(), 1e-3);
    EXPECT_TRUE(adam->has_momentum());
    EXPECT_FALSE(CreateFromText<Optimizer>(name, "beta1: 0").value()->has_momentum());
  }
}

TEST(AdamTest, NamesEveryConstantOutOfRange) {
  const auto adam = CreateFromText<Optimizer>("adamw", "beta1: 1 beta2: -0.1 eps: 0");
  EXPECT_EQ(adam.status().message(),
            "optimizer \"adamw\": beta1 is 1; it must be at least 0 and less than 1\n"
            "beta2 is -0.1; it must be at least 0 and less than 1\n"
            "eps is 0; it must be at least 1e-30");
}

}  // namespace
}  // namespace starling
