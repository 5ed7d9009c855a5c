#include "comm/rendezvous.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/status.h"

namespace starling {

absl::StatusOr<std::unique_ptr<ControlChannel>> MeetAtMaster(
    const LaunchEnvironment& launch, int workers,
    const std::function<const char*(const char*)>& get, absl::Duration patience) {
  if (launch.size != workers) {
    return absl::InvalidArgumentError(
        absl::StrCat("the config has ", workers, " workers, but WORLD_SIZE is ", launch.size,
                     "; start ", workers, " processes, or add --set workers=", launch.size));
  }
  if (launch.size == 1) return ControlChannel::Listen(1);
  const char* host = get("MASTER_ADDR");
  const char* port_text = get("MASTER_PORT");
  if (host == nullptr || port_text == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(launch.launcher, " has started ", launch.size, " processes, but ",
                     host == nullptr ? "MASTER_ADDR" : "MASTER_PORT",
                     " is not set: it says where they find process 0"));
  }
  int port = 0;
  if (!absl::SimpleAtoi(port_text, &port) || port < 1 || port > 65534) {
    return absl::InvalidArgumentError(
        absl::StrCat("MASTER_PORT is \"", port_text, "\"; a port is a number from 1 to 65534"));
  }
  const char* agent = get("TORCHELASTIC_USE_AGENT_STORE");
  if (agent != nullptr && absl::string_view(agent) == "True") ++port;
  const std::string place = absl::StrCat("MASTER_ADDR=", host, ", MASTER_PORT=", port_text);
  absl::StatusOr<std::unique_ptr<ControlChannel>> channel;
  if (launch.rank == 0) {
    channel = ControlChannel::ListenAt(host, port, launch.size);
  } else {
    auto address = ControlChannel::KnownAddress(host, port, launch.size);
    channel = address.ok() ? ControlChannel::Join(*address, launch.rank, patience)
                           : absl::StatusOr<std::unique_ptr<ControlChannel>>(address.status());
  }
  if (!channel.ok()) return WithContext(channel.status(), place);
  return channel;
}

}  // namespace starling
