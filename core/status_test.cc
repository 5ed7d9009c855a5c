#include "core/status.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace starling {
namespace {

absl::Status Refused() { return absl::UnavailableError("refused"); }

TEST(StatusTest, ContextStandsInFrontAndKeepsTheCode) {
  const absl::Status status = WithContext(WithContext(Refused(), "step 120"), "worker 3");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()), "worker 3: step 120: refused");
  EXPECT_TRUE(WithContext(absl::OkStatus(), "worker 3").ok());
}

TEST(StatusTest, ReturnIfErrorLeavesOnlyOnErrors) {
  int reached = 0;
  const auto run = [&](const absl::Status& first) -> absl::Status {
    RETURN_IF_ERROR(first);
    ++reached;
    return absl::OkStatus();
  };
  EXPECT_TRUE(run(absl::OkStatus()).ok());
  EXPECT_EQ(reached, 1);
  EXPECT_EQ(run(Refused()), Refused());
  EXPECT_EQ(reached, 1);
}

TEST(StatusTest, AssignOrReturnMovesTheValue) {
  const auto run = [](absl::StatusOr<std::unique_ptr<int>> made) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(const std::unique_ptr<int> value, std::move(made));
    int twice = 0;
    ASSIGN_OR_RETURN(twice, absl::StatusOr<int>(2 * *value));
    return twice;
  };
  EXPECT_EQ(*run(std::make_unique<int>(21)), 42);
  EXPECT_EQ(run(Refused()).status(), Refused());
}

TEST(StatusDeathTest, CheckOkSaysWhatFailed) {
  CHECK_OK(absl::OkStatus());
  CHECK_OK(absl::StatusOr<int>(1));
  const auto check = [](const auto& result) { CHECK_OK(result); };
  EXPECT_DEATH(check(Refused()), "refused");
  EXPECT_DEATH(check(absl::StatusOr<int>(Refused())), "refused");
}

}  // namespace
}  // namespace starling
