#include "core/registry.h"

#include <memory>
#include <string>

#include "core/config/test_config.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A kind of plug-in that computes a learning rate.
class Rate {
 public:
  static constexpr char kKind[] = "rate";
  struct Context {
    int workers = 1;
  };
  virtual ~Rate() = default;
  virtual double lr() const = 0;
};

class Scaled final : public Rate {
 public:
  static absl::StatusOr<std::unique_ptr<Rate>> Create(const testing::AdamConfig& config,
                                                      const Context& context) {
    if (context.workers == 0) return absl::FailedPreconditionError("no workers");
    return std::make_unique<Scaled>(config.lr() * context.workers);
  }

  explicit Scaled(double lr) : lr_(lr) {}
  double lr() const override { return lr_; }

 private:
  double lr_;
};

class Fixed final : public Rate {
 public:
  static absl::StatusOr<std::unique_ptr<Rate>> Create(const testing::SgdConfig& config,
                                                      const Context&) {
    return std::make_unique<Fixed>(config.lr());
  }

  explicit Fixed(double lr) : lr_(lr) {}
  double lr() const override { return lr_; }

 private:
  double lr_;
};

STARLING_REGISTER_PLUGIN(Rate, Scaled, testing::AdamConfig,
                         PluginFacts{"scaled", "lr times workers", "", {"linear"}, ""});
STARLING_REGISTER_PLUGIN(Rate, Fixed, testing::SgdConfig, PluginFacts{"fixed", "lr", "", {}, ""});

absl::StatusOr<std::unique_ptr<Rate>> Create(const PluginRef& ref, int workers = 1) {
  return Registry<Rate>::Global().Create(ref, Rate::Context{workers});
}

TEST(RegistryTest, MacroRegistersFactsAndFactory) {
  EXPECT_THAT(Registry<Rate>::Global().Names(), ElementsAre("fixed", "scaled"));
  EXPECT_EQ(PluginTable::Global().Find("rate", "scaled")->facts.summary, "lr times workers");
}

TEST(RegistryTest, CreateSeesTheResolvedConfigAndTheContext) {
  PluginRef ref;
  ref.set_name("scaled");
  auto rate = Create(ref, 4);
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_EQ((*rate)->lr(), 4e-3);  // the default 1e-3, four times

  testing::AdamConfig config;
  config.set_lr(0.5);
  ref.mutable_config()->PackFrom(config);
  ref.set_name("linear");
  rate = Create(ref, 3);
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_EQ((*rate)->lr(), 1.5);

  ref.Clear();
  ref.set_name("fixed");
  rate = Create(ref, 3);
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_EQ((*rate)->lr(), 0.1);
}

TEST(RegistryTest, UserMistakesComeBackAsStatus) {
  PluginRef ref;
  ref.set_name("scald");
  EXPECT_EQ(Create(ref).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Create(ref).status().message()), HasSubstr("did you mean \"scaled\"?"));

  ref.set_name("scaled");
  ref.mutable_config()->PackFrom(testing::SgdConfig());
  EXPECT_EQ(std::string(Create(ref).status().message()),
            "rate \"scaled\" takes starling.testing.AdamConfig, not starling.testing.SgdConfig");

  testing::AdamConfig config;
  config.set_lr(0);
  ref.mutable_config()->PackFrom(config);
  EXPECT_EQ(std::string(Create(ref).status().message()),
            "rate \"scaled\": lr is 0; it must be greater than 0 and at most 1000000");

  ref.clear_config();
  EXPECT_EQ(Create(ref, 0).status(), absl::FailedPreconditionError("no workers"));
}

}  // namespace
}  // namespace starling
