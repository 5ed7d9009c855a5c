#include "comm/rendezvous.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

const absl::Duration kPatience = absl::Seconds(20);

// A port of this machine that somebody listens at.
class TakenPort {
 public:
  TakenPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    PCHECK(bind(socket_, reinterpret_cast<sockaddr*>(&at), size) == 0 && listen(socket_, 1) == 0 &&
           getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port_ = ntohs(at.sin_port);
  }
  ~TakenPort() { close(socket_); }
  int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
};

int FreePort() { return TakenPort().port(); }

using Variables = std::map<std::string, std::string>;

absl::StatusOr<std::unique_ptr<ControlChannel>> Meet(int rank, int size, const Variables& variables,
                                                     absl::Duration patience = kPatience) {
  LaunchEnvironment launch;
  launch.launcher = "torchrun";
  launch.rank = rank;
  launch.size = size;
  return MeetAtMaster(
      launch, size,
      [&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
      },
      patience);
}

Variables At(const std::string& host, int port) {
  return {{"MASTER_ADDR", host}, {"MASTER_PORT", absl::StrCat(port)}};
}

absl::Status MeetAll(const Variables& variables, int size) {
  std::vector<absl::Status> results(size);
  std::vector<std::unique_ptr<ControlChannel>> channels(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto channel = Meet(rank, size, variables);
      results[rank] = channel.status();
      if (!channel.ok()) return;
      channels[rank] = *std::move(channel);
      results[rank] = channels[rank]->Start({}, kPatience);
    });
  }
  for (std::thread& thread : threads) thread.join();
  absl::Status status;
  for (const absl::Status& result : results) status.Update(result);
  return status;
}

TEST(Rendezvous, AllMeetAtTheMastersPort) {
  EXPECT_EQ(MeetAll(At("127.0.0.1", FreePort()), 5), absl::OkStatus());
  EXPECT_EQ(MeetAll(At("localhost", FreePort()), 2), absl::OkStatus());
}

TEST(Rendezvous, ThePortCanBeUsedAgainAtOnce) {
  const Variables variables = At("127.0.0.1", FreePort());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(MeetAll(variables, 3), absl::OkStatus());
}

TEST(Rendezvous, LeavesTorchrunsAgentItsPort) {
  const TakenPort agent;
  Variables variables = At("127.0.0.1", agent.port());
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  EXPECT_EQ(MeetAll(variables, 2), absl::OkStatus());
}

TEST(Rendezvous, OneProcessNeedsNoVariables) {
  EXPECT_EQ(Meet(0, 1, {}).status(), absl::OkStatus());
}

TEST(Rendezvous, ListensAtTheMastersAddressOnly) {
  const int port = FreePort();
  const auto lead = Meet(0, 2, At("127.0.0.1", port));
  ASSERT_EQ(lead.status(), absl::OkStatus());
  sockaddr_in elsewhere{};
  elsewhere.sin_family = AF_INET;
  elsewhere.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.2", &elsewhere.sin_addr);  // this machine too
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_NE(connect(fd, reinterpret_cast<sockaddr*>(&elsewhere), sizeof(elsewhere)), 0);
  close(fd);
}

TEST(Rendezvous, SaysWhatIsWrongWithThePlace) {
  const auto complaint = [](int rank, const Variables& variables) {
    return std::string(Meet(rank, 2, variables, absl::Milliseconds(1)).status().message());
  };
  EXPECT_EQ(complaint(0, {{"MASTER_PORT", "1"}}),
            "torchrun has started 2 processes, but MASTER_ADDR is not set: it says where they find "
            "process 0");
  EXPECT_THAT(complaint(1, {{"MASTER_ADDR", "localhost"}}),
              HasSubstr("but MASTER_PORT is not set"));
  EXPECT_EQ(complaint(0, {{"MASTER_ADDR", "localhost"}, {"MASTER_PORT", "x1"}}),
            "MASTER_PORT is \"x1\"; a port is a number from 1 to 65534");
  const TakenPort taken;
  EXPECT_EQ(complaint(0, At("127.0.0.1", taken.port())),
            absl::StrCat("MASTER_ADDR=127.0.0.1, MASTER_PORT=", taken.port(), ": port ",
                         taken.port(), " of 127.0.0.1 is taken by another program or run"));
  EXPECT_THAT(complaint(0, At("192.0.2.1", 1234)),
              HasSubstr("192.0.2.1 is no address of this machine, where process 0 runs; it has "));
  EXPECT_THAT(complaint(0, At("no-such-host.invalid", 1234)),
              HasSubstr("there is no host \"no-such-host.invalid\""));
  const int port = FreePort();
  EXPECT_THAT(complaint(1, At("127.0.0.1", port)),
              HasSubstr(absl::StrCat("cannot reach process 0 at port ", port, " of 127.0.0.1")));
}

TEST(Rendezvous, TheWorldIsAsLargeAsTheConfigSays) {
  LaunchEnvironment launch;
  launch.launcher = "torchrun";
  launch.size = 2;
  const auto met = MeetAtMaster(
      launch, /*workers=*/4, [](const char*) { return nullptr; }, kPatience);
  EXPECT_EQ(met.status(),
            absl::InvalidArgumentError(
                "the config has 4 workers, but WORLD_SIZE is 2; start 4 processes, or "
                "add --set workers=2"));
}

TEST(Rendezvous, NamesWhoHasNotCome) {
  const Variables variables = At("127.0.0.1", FreePort());
  auto lead = Meet(0, 4, variables);
  ASSERT_EQ(lead.status(), absl::OkStatus());
  std::unique_ptr<ControlChannel> other;
  std::thread joiner([&] { other = *Meet(2, 4, variables); });
  const absl::Status status = (*lead)->Start({}, absl::Seconds(1));
  joiner.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("of 4 processes these have not come within 1s: 1, 3"));
}

}  // namespace
}  // namespace starling
