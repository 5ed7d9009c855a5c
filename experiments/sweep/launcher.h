// Launchers: where the runs of a sweep run.
#ifndef EXPERIMENTS_SWEEP_LAUNCHER_H_
#define EXPERIMENTS_SWEEP_LAUNCHER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/sweep/session.h"

namespace starling {

// Brings a sweep to its end. `session` knows the sweep and can do all of it here.
class Launcher {
 public:
  static constexpr char kKind[] = "launcher";
  struct Context {};

  virtual ~Launcher() = default;

  // Returns when the sweep is over, or when the session is asked to stop. Errors name what keeps
  // this launcher from launching; a run that fails is no error.
  virtual absl::StatusOr<QueueEnd> Launch(SweepSession* session) = 0;
};

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_LAUNCHER_H_
