// A cluster's network in SimGrid: bytes that flow between machines and share their cards.
//
// Rates are shared by max-min fairness among the flows that pass a card (SimGrid's model CM02,
// without its corrections for TCP); there is no other bottleneck than cards and a flow's own limit.
// All calls come from workers (SimGrid's actors) or from what these functions call back.
#ifndef COMM_SIM_NETWORK_H_
#define COMM_SIM_NETWORK_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "cluster/cluster.pb.h"

namespace simgrid::s4u {
class Host;
}  // namespace simgrid::s4u

namespace starling {

class Network {
 public:
  enum class Way {
    kInside,   // from one worker to another of its machine
    kAcross,   // from one machine to another
    kBothWays  // between two machines, as much in either direction
  };
  struct Flow {
    Way way = Way::kAcross;
    int from = 0, to = 0;  // workers, if inside; else machines
    double bytes = 0;
    double bytes_per_second = 0;  // at most
  };
  // Flows that start together.
  struct Job {
    std::vector<Flow> flows;
    double seconds = 0;          // that pass between their end and the job's
    std::function<void()> done;  // by whoever ends it, possibly before Start returns
  };

  // Builds the cluster in SimGrid's engine, which has just been made (engine.h). `cluster` is
  // complete (cluster/cluster.h).
  Network(const ClusterSpec& cluster, int workers, int workers_per_node);
  ~Network();  // forgets what is under way; before the engine ends

  void Start(Job job);

  // Where a worker is at home.
  simgrid::s4u::Host* home(int worker) const { return workers_[worker]; }

 private:
  struct UnderWay;
  struct Passage;
  struct Kernel;

  void StartFlow(const Flow& flow, const std::shared_ptr<UnderWay>& job);
  void EndOfFlow(Passage* passage);
  void Later(double seconds, std::function<void()> done);

  bool half_duplex_;
  std::vector<simgrid::s4u::Host*> workers_;    // joined by their machine's bus
  std::vector<simgrid::s4u::Host*> machines_;   // one way through a card
  std::vector<simgrid::s4u::Host*> both_ways_;  // both ways through it
  std::list<std::unique_ptr<Passage>> passages_;
  std::unique_ptr<Passage> last_passage_;  // must outlive the call that ends it
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace starling

#endif  // COMM_SIM_NETWORK_H_
