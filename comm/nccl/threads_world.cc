#include "comm/nccl/threads_world.h"

#include <string>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "comm/control_channel.h"
#include "comm/nccl/dispatched_backend.h"
#include "core/status.h"

namespace starling {
namespace {

const absl::Duration kPatience = absl::Seconds(30);

}  // namespace

std::vector<absl::Status> RunInThreads(
    const Backend::Context& context, bool deterministic,
    const std::function<std::unique_ptr<Carrier>(int rank)>& new_carrier,
    const std::function<absl::Status(Communicator* comm, Carrier* carrier)>& body) {
  auto lead = ControlChannel::Listen(context.workers);
  CHECK_OK(lead);
  const std::string address = (*lead)->address();
  std::vector<absl::Status> results(context.workers);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < context.workers; ++rank) {
    threads.emplace_back([&, rank] {
      auto channel = rank == 0 ? std::move(lead) : ControlChannel::Join(address, rank, kPatience);
      CHECK_OK(channel);
      DispatchedBackend::Options options;
      options.carrier = new_carrier(rank);
      options.deterministic = deterministic;
      Carrier* const carrier = options.carrier.get();
      auto backend =
          DispatchedBackend::Create(context, std::move(options), *std::move(channel), kPatience);
      CHECK_OK(backend);
      results[rank] = (*backend)->Run([&](Communicator* comm) { return body(comm, carrier); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

}  // namespace starling
