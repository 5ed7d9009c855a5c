// What one worker reports of one step, in its process and between processes.
#ifndef EXPERIMENTS_STEP_REPORT_H_
#define EXPERIMENTS_STEP_REPORT_H_

#include <cstdint>

#include "comm/recorder.h"
#include "experiments/digest_trail.h"
#include "experiments/run_message.pb.h"

namespace starling {

struct StepReport {
  double loss = 0;
  double lr = 0;
  double seconds = 0;      // of the step, measurements not counted
  int64_t bytes_sent = 0;  // training traffic so far
  PhaseSeconds phase_seconds{};
  TensorDigests digests;  // of the worker's state after the step; empty: none are recorded of it
};

RunMessage::Step Encode(int worker, int64_t step, const StepReport& report);
StepReport Decode(const RunMessage::Step& encoded);

}  // namespace starling

#endif  // EXPERIMENTS_STEP_REPORT_H_
