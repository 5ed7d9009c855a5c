// A rehearsal: a world of workers in this process that finds out, before anything is trained,
// whether the workers' exchanges fit together.
//
// Workers are threads of which exactly one runs at a time, in the order of their ranks; it runs
// until it has to wait. There is no clock and nothing times out: as soon as every worker that has
// not ended waits, and no send matches a receive, nobody can ever go on, and that is said at once.
// The same rehearsal always goes the same way and says the same.
//
// What holds here holds for every timing and every backend, as long as no worker receives from
// kAnyone and none decides by Done() or the clock: then each message has one partner, whichever
// comes first. For workers that do, it is one order of events of many.
#ifndef COMM_REHEARSAL_H_
#define COMM_REHEARSAL_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "comm/backend.h"
#include "comm/communicator.h"

namespace starling {

class RehearsalWorld;

class Rehearsal final : public Backend {
 public:
  Rehearsal(int workers, int workers_per_node);
  ~Rehearsal() override;

  // Runs `worker` once for every rank. Returns OK if all have ended well and nothing of this
  // happened; else FAILED_PRECONDITION with the first that did, or a worker's own error first:
  //
  //   * all that have not ended wait for each other, or for one that has ended. Said as a cycle:
  //     "nobody can go on: worker 0 waits for worker 1 to send stream 1, round 0, bucket 0,
  //     part 0; worker 1 waits for worker 0 to take stream 2, round 0, bucket 0, part 0"
  //   * an exchange was dropped before its worker knew that it was done, so that a message is lost
  //     or not as timing will have it. (Receives from kAnyone may be dropped.)
  //   * a message was sent or awaited while its worker did not know yet that an earlier one with
  //     the same key, to or from the same worker, was done: the two can be confused.
  //   * a message does not fit its receive: too long, of another type, or shorter while the
  //     receiver never asks (Work::arrivals) how much came.
  //
  // Whichever it is comes out of the Exchange or Wait of a worker that takes part in it, so the
  // worker can say where it was.
  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override;

  // How many messages of training have arrived. Workers may ask while they run.
  int64_t messages() const;

 private:
  int workers_per_node_;
  std::unique_ptr<RehearsalWorld> world_;
};

}  // namespace starling

#endif  // COMM_REHEARSAL_H_
