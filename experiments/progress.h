// What a person sees while a run goes: one live line with a bar on a terminal, plain lines when
// the output is a file or a pipe.
#ifndef EXPERIMENTS_PROGRESS_H_
#define EXPERIMENTS_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "data/dataset.h"

namespace starling {

struct Evaluation;

struct ProgressLine {
  int64_t step = 0, steps = 0;
  std::optional<double> loss;  // absent where nothing is computed: shown is time alone
  double lr = 0, samples_per_second = 0, ms_per_step = 0;
  double wait_ms_per_step = 0;  // waiting for others
  double consensus_distance = 0;
};

// Not thread-safe: the monitor calls it under its lock.
class Progress {
 public:
  // Writes to `out`, which is a terminal if `live`. Not owned.
  Progress(FILE* out, bool live) : out_(out), live_(live) {}

  // Shows the step if enough time has passed since the last one: 0.1 s live, 2 s plain. The last
  // step is always shown.
  void Step(const ProgressLine& line);

  // Shows the averaged model and the spread over the workers.
  void Evaluated(int64_t step, Split split, const Evaluation& evaluation,
                 double consensus_distance);

  // Ends the live line, so that other output starts on a line of its own.
  void Finish();

 private:
  FILE* out_;
  bool live_;
  bool line_open_ = false;
  double last_shown_seconds_ = -1e9;
};

// The lines themselves, at most 80 columns.
std::string StepText(const ProgressLine& line, bool with_bar);
std::string EvaluationText(int64_t step, Split split, const Evaluation& evaluation,
                           double consensus_distance);

}  // namespace starling

#endif  // EXPERIMENTS_PROGRESS_H_
