// A worker's parts where time is simulated (comm/simulation.h): what computes takes the time that
// the simulation says, on the worker's clock.
#ifndef EXPERIMENTS_SIMULATED_PARTS_H_
#define EXPERIMENTS_SIMULATED_PARTS_H_

#include <memory>

#include "comm/communicator.h"
#include "core/layout.h"
#include "models/model.h"
#include "optim/optimizer.h"

namespace starling {

// The same model and optimizer; what they compute takes none of the machine's time, whatever it
// takes, but the modelled time. A model that waits on the clock itself (paced) waits meanwhile. Of
// a step's time each of its `passes` takes an equal part.
std::unique_ptr<Model> MakeTimedModel(std::unique_ptr<Model> model, int passes, Communicator* comm);
std::unique_ptr<Optimizer> MakeTimedOptimizer(std::unique_ptr<Optimizer> optimizer,
                                              Communicator* comm);

// A model without numbers, of this layout (not owned); its loss is 0.
std::unique_ptr<Model> MakeSizesOnlyModel(const Layout* layout);

}  // namespace starling

#endif  // EXPERIMENTS_SIMULATED_PARTS_H_
