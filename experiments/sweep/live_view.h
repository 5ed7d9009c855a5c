// What a sweep shows while it runs: a line per run that ends and, on a terminal, beneath them how
// far everything is.
#ifndef EXPERIMENTS_SWEEP_LIVE_VIEW_H_
#define EXPERIMENTS_SWEEP_LIVE_VIEW_H_

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace starling {

struct SweepProgress {
  int total = 0, done = 0, running = 0, failed = 0;  // done: finished, with a result
  std::optional<double> seconds_left;                // absent: nothing to estimate from
  std::string best;               // "eval_loss 0.31 (ring, seed 2)"; may be empty
  std::vector<std::string> runs;  // a line for each that runs here
};

// "12/27 done, 2 running, 1 failed, 12 left; about 6 min left".
std::string ProgressText(const SweepProgress& progress);

// "45 s", "6 min", "2.5 h".
std::string DurationText(double seconds);

class LiveView {
 public:
  // `live`: `out` is a terminal.
  LiveView(FILE* out, bool live) : out_(out), live_(live) {}
  ~LiveView() { Clear(); }

  // Shown from now on. On a terminal only.
  void Show(const SweepProgress& progress);
  // A line that stays.
  void Line(const std::string& text);
  // Removes what Show has shown.
  void Clear();

 private:
  FILE* out_;
  bool live_;
  int lines_ = 0;  // that Show has shown
};

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_LIVE_VIEW_H_
