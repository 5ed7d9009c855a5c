// What a backend adds whose time is simulated: how long workers compute, which is not how long this
// machine takes. The parts of a worker that compute ask it and let that time pass on the worker's
// clock; algorithms, models and the trainer know nothing of it.
#ifndef COMM_SIMULATION_H_
#define COMM_SIMULATION_H_

#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"

namespace starling {

class Simulation {
 public:
  virtual ~Simulation() = default;

  // Whether there are no numbers but only their sizes: then Communicator::Allocate returns
  // Place::kVirtual, and nothing is computed.
  virtual bool time_only() const = 0;

  // In time only: what is exchanged, in place of the model's own layout; null: the model's.
  virtual const Layout* layout() const = 0;

  // What the workers train; by each of them, the same, before its first pass. Kept.
  virtual void SetModel(const Layout& layout, DType type) = 0;

  // One step's computing, in seconds.
  struct Pass {
    double stall = 0;  // before it
    double forward = 0;
    std::vector<double> backward;  // by bucket
  };
  virtual Pass PassOf(int worker, int64_t step) const = 0;

  // Of updating so many elements.
  virtual double UpdateSeconds(int64_t elements) const = 0;
};

}  // namespace starling

#endif  // COMM_SIMULATION_H_
