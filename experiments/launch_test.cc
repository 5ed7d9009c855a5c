#include "experiments/launch.h"

#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

TEST(Launch, TheCommandStartsTheProgramWithoutTheFlagsThatStartIt) {
  const auto command =
      MpirunCommand(4, "", "/bin/starling",
                    {"train", "--np=4", "--config=x", "--np", "4", "-hosts=a", "--run_dir", "d"});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_THAT(Joined(*command), HasSubstr("mpirun -np 4 --bind-to none "));
  EXPECT_THAT(Joined(*command),
              HasSubstr("/bin/starling train --config=x --run_dir d --set=workers=4 "));
  EXPECT_THAT(*command, Contains("--oversubscribe"));
}

TEST(Launch, HostsHaveSlots) {
  const auto command = MpirunCommand(0, "a:2,b:3,c", "starling", {"train", "--hosts", "a:2,b:3,c"});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_THAT(Joined(*command),
              AllOf(HasSubstr("-np 6 "), HasSubstr("--host a:2,b:3,c "),
                    HasSubstr("starling train --set=workers=6"), Not(HasSubstr("oversubscribe"))));
}

TEST(Launch, RefusesWhatMakesNoSense) {
  const auto error = [](int np, const std::string& hosts) {
    return std::string(MpirunCommand(np, hosts, "starling", {}).status().message());
  };
  EXPECT_EQ(error(-1, ""), "--np=-1: it must be positive");
  EXPECT_EQ(error(7, "a:2,b:3"), "--np=7 is more than the 5 slots of --hosts=a:2,b:3");
  EXPECT_EQ(error(2, "a:x"), "--hosts=a:x: \"a:x\" is not of the form host:slots");
  EXPECT_EQ(error(2, "a:2,"), "--hosts=a:2,: \"\" is not of the form host:slots");
}

TEST(Launch, RunsTheCommandAndPassesSignalsOn) {
  const auto code = [](const std::string& script) {
    const auto code = RunProcesses({"/bin/sh", "-c", script});
    return code.ok() ? *code : -1;
  };
  EXPECT_EQ(code("exit 3"), 3);
  EXPECT_EQ(code("kill -9 $$"), 137);
  // Once to stop: SIGUSR1. What was asked with SIGUSR2 is passed on.
  EXPECT_EQ(code("trap 'exit 5' USR1; kill -TERM $PPID; while :; do :; done"), 5);
  EXPECT_EQ(code("trap 'exit 6' USR2; kill -USR2 $PPID; while :; do :; done"), 6);
  EXPECT_EQ(code("trap 'exit 75' USR1; kill -TERM $PPID; while :; do :; done"), 75);
  EXPECT_EQ(code("trap 'exit 75' USR1; kill -INT $PPID; while :; do :; done"), 130);
  EXPECT_EQ(code("trap 'kill -INT $PPID' USR1; trap 'exit 7' TERM; kill -INT $PPID; "
                 "while :; do :; done"),
            7);
  EXPECT_EQ(RunProcesses({"no-such-program"}).value_or(-1), 1);
}

}  // namespace
}  // namespace starling
