#include "comm/sim/network.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "glog/logging.h"
#include "simgrid/kernel/Timer.hpp"
#include "simgrid/kernel/resource/Action.hpp"
#include "simgrid/kernel/resource/Model.hpp"
#include "simgrid/s4u.hpp"
#include "simgrid/simix.hpp"

namespace starling {
namespace {

namespace s4u = simgrid::s4u;
using simgrid::kernel::timer::Timer;

double BytesPerSecond(double gbps) { return gbps * 1e9 / 8; }

}  // namespace

struct Network::UnderWay {
  int open = 0;  // flows
  double seconds = 0;
  std::function<void()> done;
};

// One flow.
struct Network::Passage {
  Network* network = nullptr;
  std::shared_ptr<UnderWay> job;
  s4u::CommPtr comm;
  std::list<std::unique_ptr<Passage>>::iterator place;
};

struct Network::Kernel {
  simgrid::kernel::resource::Model* model = nullptr;  // of the network
  std::set<Timer*> timers;                            // that will ring
};

Network::Network(const ClusterSpec& cluster, int workers, int workers_per_node)
    : half_duplex_(cluster.half_duplex()), kernel_(std::make_unique<Kernel>()) {
  // Of all activities that end in the engine, ours carry their passage.
  static const bool connected = [] {
    s4u::Activity::on_completion_cb([](const s4u::Activity& activity) {
      const auto* comm = dynamic_cast<const s4u::Comm*>(&activity);
      if (comm == nullptr) return;
      auto* passage = const_cast<s4u::Comm*>(comm)->get_data<Passage>();
      if (passage != nullptr) passage->network->EndOfFlow(passage);
    });
    return true;
  }();
  CHECK(connected);
  s4u::NetZone* zone = s4u::create_star_zone("cluster");
  const auto link = [&](const std::string& name, double gbps) {
    return s4u::LinkInRoute(zone->create_link(name, BytesPerSecond(gbps))->seal());
  };
  const auto host = [&](const std::string& name, const std::vector<s4u::LinkInRoute>& up,
                        const std::vector<s4u::LinkInRoute>& down) {
    s4u::Host* host = zone->create_host(name, /*speed=*/1.0);
    host->seal();
    zone->add_route(host->get_netpoint(), nullptr, nullptr, nullptr, up, /*symmetrical=*/false);
    zone->add_route(nullptr, host->get_netpoint(), nullptr, nullptr, down, /*symmetrical=*/false);
    return host;
  };
  for (int worker = 0; worker < workers; ++worker) {
    const std::string name = absl::StrCat("worker", worker);
    workers_.push_back(host(name, {link(absl::StrCat(name, "out"), cluster.node_gbps())},
                            {link(absl::StrCat(name, "in"), cluster.node_gbps())}));
  }
  for (int machine = 0; machine * workers_per_node < workers; ++machine) {
    const std::string name = absl::StrCat("machine", machine);
    const s4u::LinkInRoute up = link(absl::StrCat(name, "up"), cluster.nic_gbps());
    const s4u::LinkInRoute down =
        half_duplex_ ? up : link(absl::StrCat(name, "down"), cluster.nic_gbps());
    std::vector<s4u::LinkInRoute> both{up};
    if (!half_duplex_) both.push_back(down);
    machines_.push_back(host(name, {up}, {down}));
    both_ways_.push_back(host(absl::StrCat(name, "both"), both, both));
  }
  zone->seal();
  for (auto* model : s4u::Engine::get_instance()->get_all_models()) {
    if (absl::StrContains(model->get_name(), "Network")) kernel_->model = model;
  }
  CHECK(kernel_->model != nullptr);
}

Network::~Network() {
  for (Timer* timer : kernel_->timers) timer->remove();
  for (const auto& passage : passages_) passage->comm->set_data(nullptr);
}

void Network::Start(Job job) {
  auto under_way = std::make_shared<UnderWay>();
  under_way->open = static_cast<int>(job.flows.size());
  under_way->seconds = job.seconds;
  under_way->done = std::move(job.done);
  if (job.flows.empty()) return Later(under_way->seconds, std::move(under_way->done));
  // SimGrid tells the end only of what its kernel has started.
  simgrid::kernel::actor::simcall_answered([&] {
    for (const Flow& flow : job.flows) StartFlow(flow, under_way);
  });
}

void Network::StartFlow(const Flow& flow, const std::shared_ptr<UnderWay>& job) {
  // Both ways through a card that shares them.
  const double factor = flow.way == Way::kBothWays && half_duplex_ ? 2 : 1;
  passages_.push_front(std::make_unique<Passage>());
  Passage* passage = passages_.front().get();
  passage->network = this;
  passage->job = job;
  passage->place = passages_.begin();
  const auto& hosts = flow.way == Way::kInside   ? workers_
                      : flow.way == Way::kAcross ? machines_
                                                 : both_ways_;
  const s4u::CommPtr comm = s4u::Comm::sendto_init();
  passage->comm = comm;
  comm->set_data(passage);
  comm->set_payload_size(static_cast<uint64_t>(std::llround(flow.bytes * factor)));
  comm->set_source(hosts[flow.from]);
  comm->set_destination(hosts[flow.to]);  // starts it
  // Communications between hosts ignore s4u::Comm::set_rate, so their newest action is bounded.
  auto* const started = kernel_->model->get_started_action_set();
  CHECK(!started->empty());
  started->back().set_bound(flow.bytes_per_second * factor);
}

void Network::EndOfFlow(Passage* passage) {
  const std::shared_ptr<UnderWay> job = std::move(passage->job);
  last_passage_ = std::move(*passage->place);
  passages_.erase(passage->place);
  if (--job->open == 0) Later(job->seconds, std::move(job->done));
}

void Network::Later(double seconds, std::function<void()> done) {
  if (seconds <= 0) return done();
  auto timer = std::make_shared<Timer*>(nullptr);
  *timer = Timer::set(s4u::Engine::get_clock() + seconds, [this, timer, done = std::move(done)] {
    kernel_->timers.erase(*timer);
    done();
  });
  kernel_->timers.insert(*timer);
}

}  // namespace starling
