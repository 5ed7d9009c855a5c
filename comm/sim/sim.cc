// Backend "sim": every worker is an actor of a simulation, in virtual time.
#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/cluster.h"
#include "comm/backend.h"
#include "comm/sim/channels.h"
#include "comm/sim/computing.h"
#include "comm/sim/engine.h"
#include "comm/sim/network.h"
#include "comm/sim/sim.pb.h"
#include "comm/sim/sums.h"
#include "comm/sim/transfers.h"
#include "comm/sim/world.h"
#include "core/registry.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

class SimWork final : public Work {
 public:
  SimWork(World* world, std::shared_ptr<Begun> begun) : world_(world), begun_(std::move(begun)) {}
  ~SimWork() override { world_->Cancel(begun_); }

  bool Done() override { return world_->Done(*begun_); }
  absl::Status Wait() override { return world_->Wait(begun_.get()); }
  absl::Span<const Arrival> arrivals() const override { return begun_->exchanging.arrivals; }
  std::string Missing() const override { return world_->Missing(*begun_); }

 private:
  World* world_;
  std::shared_ptr<Begun> begun_;
};

class SimCommunicator final : public Communicator {
 public:
  SimCommunicator(int rank, const Backend::Context& context, World* world, Simulation* simulation,
                  Clock* clock)
      : Communicator(rank, context.workers, context.workers_per_node, clock,
                     simulation->time_only() ? Place::kVirtual : Place::kHost),
        world_(world),
        simulation_(simulation) {}

  void Abort(const absl::Status& reason) override { world_->Abort(reason); }

  Simulation* simulation() override { return simulation_; }

  absl::StatusOr<std::unique_ptr<Work>> AllReduceSum(absl::Span<const int> group, MessageKey key,
                                                     Buffer values,
                                                     const ExchangeOptions& options) override {
    ExchangeOptions silent = options;  // nobody is called when a sum is done
    silent.completed = nullptr;
    return Recorded(SendsOf(group, key, values), {}, silent, [&](const ExchangeOptions& recorded) {
      auto sum = Begin({}, {}, recorded);
      sum->group.assign(group.begin(), group.end());
      sum->key = key;
      sum->values = values;
      world_->PostSum(sum);
      return std::make_unique<SimWork>(world_, std::move(sum));
    });
  }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    auto exchange = Begin(sends, receives, options);
    world_->Post(exchange);
    return std::make_unique<SimWork>(world_, std::move(exchange));
  }

  std::shared_ptr<Begun> Begin(absl::Span<const Send> sends, absl::Span<const Receive> receives,
                               const ExchangeOptions& options) {
    return std::make_shared<Begun>(rank(), sends, receives, options, clock().NowSeconds(),
                                   recorder().step());
  }

  // The same sum comes again, step by step.
  absl::Span<const Send> SendsOf(absl::Span<const int> group, MessageKey key,
                                 const Buffer& values) {
    Repeated& repeated = repeated_[key.bucket];
    if (repeated.group != group || repeated.count != values.count || repeated.type != values.type) {
      repeated = {{group.begin(), group.end()}, values.count, values.type, {}};
      repeated.sends = SendsOfSum(rank(), group, workers_per_node(), key, values);
    }
    if (!repeated.sends.empty()) repeated.sends[0].key = key;  // which is what is recorded
    return repeated.sends;
  }

  struct Repeated {
    std::vector<int> group;
    int64_t count = 0;
    DType type = DType::kF32;
    std::vector<Send> sends;
  };

  World* world_;
  Simulation* simulation_;
  std::unordered_map<int32_t, Repeated> repeated_;  // by bucket
};

class Sim final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const SimConfig& config,
                                                         const Context& context) {
    ASSIGN_OR_RETURN(ClusterSpec cluster, WithBackend(LoadCluster(config.cluster())));
    RETURN_IF_ERROR(CheckPlaces(cluster, context));
    ASSIGN_OR_RETURN(auto computing, WithBackend(Computing::Create(config, cluster, context)));
    return std::make_unique<Sim>(std::move(cluster), context, std::move(computing));
  }

  Sim(ClusterSpec cluster, const Context& context, std::unique_ptr<Computing> computing)
      : cluster_(std::move(cluster)), context_(context), computing_(std::move(computing)) {}

  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override {
    Engine engine(computing_->time_only() ? Engine::Stacks::kRaw : Engine::Stacks::kThreads);
    VirtualClock clock;
    Network network(cluster_, context_.workers, context_.workers_per_node);
    Channels channels(context_.workers, &network);
    const Transfers transfers(&cluster_, &context_.faults, context_.workers_per_node);
    World world(context_.workers, context_.workers_per_node, &transfers, &channels, &clock,
                computing_->bytes_per_byte());
    absl::Status first_error;
    int ended = 0;
    const auto body = [&](int rank) {
      SimCommunicator comm(rank, context_, &world, computing_.get(), &clock);
      absl::Status status = worker(&comm);
      ++ended;
      if (status.ok()) return;
      status = WithContext(status, absl::StrCat("worker ", rank));
      // The first error makes others end with ABORTED, which may get here before it.
      const bool cause = absl::IsAborted(first_error) && !absl::IsAborted(status);
      if (first_error.ok() || cause) first_error = status;
      world.Abort(status);
    };
    for (int rank = 0; rank < context_.workers; ++rank) {
      engine.Spawn(absl::StrCat("worker", rank), network.home(rank), [&body, rank] { body(rank); });
    }
    engine.Run();
    // SimGrid kills those that wait for each other.
    if (ended < context_.workers && first_error.ok()) {
      return absl::InternalError(absl::StrCat("backend \"sim\": ", context_.workers - ended, " of ",
                                              context_.workers,
                                              " workers wait for what will never come"));
    }
    return first_error;
  }

 private:
  template <typename T>
  static absl::StatusOr<T> WithBackend(absl::StatusOr<T> value) {
    if (!value.ok()) return WithContext(value.status(), "backend \"sim\"");
    return value;
  }

  // Whether the cluster's machines hold the experiment's.
  static absl::Status CheckPlaces(const ClusterSpec& cluster, const Context& context) {
    const int per_node = std::min(context.workers_per_node, context.workers);
    const int nodes = (context.workers + per_node - 1) / per_node;
    if (per_node > cluster.workers_per_node()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "backend \"sim\": workers_per_node is ", per_node, ", but a machine of cluster \"",
          cluster.name(), "\" has ", cluster.workers_per_node(),
          "; set workers_per_node: ", cluster.workers_per_node()));
    }
    if (cluster.nodes() > 0 && nodes > cluster.nodes()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "backend \"sim\": ", context.workers, " workers, ", per_node, " per machine, need ",
          nodes, " machines; cluster \"", cluster.name(), "\" has ", cluster.nodes()));
    }
    return absl::OkStatus();
  }

  ClusterSpec cluster_;
  Context context_;
  std::unique_ptr<Computing> computing_;
};

STARLING_REGISTER_PLUGIN(Backend, Sim, SimConfig,
                         PluginFacts{"sim",
                                     "workers live in virtual time on a cluster that need not "
                                     "exist; with numbers or without",
                                     "",
                                     {},
                                     ""});

}  // namespace
}  // namespace starling
