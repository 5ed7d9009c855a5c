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
  EXPECT_THAT(Joined(*command), HasSubstr("mpirun -np 4 --bind-to none --mca "
                                          "odls_base_sigkill_timeout 120 "));
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

TEST(Launch, SaysWhereMpirunComesFrom) {
  EXPECT_THAT(Execute({"no-such-mpirun"}).ToString(),
              HasSubstr("cannot start no-such-mpirun: No such file or directory; it comes with"));
}

}  // namespace
}  // namespace starling
