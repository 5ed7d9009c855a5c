// The batches that one worker trains on, in the order in which it asks for them.
//
// On the host a batch is read when it is asked for, by the thread that asks: there the cores that
// could read ahead compute. Where the worker's vectors lie on a device, a thread of the loader
// reads the next batch while the card works on this one, into page-locked memory, from which it is
// copied on a queue of the loader: whoever asks finds it on the card and waits only for what has
// not been read yet.
#ifndef EXPERIMENTS_BATCH_LOADER_H_
#define EXPERIMENTS_BATCH_LOADER_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "data/dataset.h"

namespace starling {

class BatchLoader {
 public:
  // Reads micro-batch `part` of `step` into `batch`; a pure function of the two, never called by
  // two threads at once.
  using Read = std::function<absl::Status(int64_t step, int part, Batch* batch)>;

  // `place` is where the worker's vectors lie: kHost, or kDevice on the card that this thread uses.
  // Every step has `parts` micro-batches; of step `steps` and beyond nothing is read ahead.
  static absl::StatusOr<std::unique_ptr<BatchLoader>> Create(Read read, int parts, int64_t steps,
                                                             Place place);

  // On the thread and the queue that asked last; waits for a reading that is under way.
  virtual ~BatchLoader() = default;

  // Micro-batch `part` of `step`, with fields at the loader's place: valid until the next call, and
  // then for what is in this thread's queue already. Any order is legal, but only what follows the
  // last one has been read ahead. Errors are those of Read, or the device's.
  virtual absl::StatusOr<const Batch*> Next(int64_t step, int part) = 0;
};

}  // namespace starling

#endif  // EXPERIMENTS_BATCH_LOADER_H_
