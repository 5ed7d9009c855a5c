// One run: a plan, trained on its backend, recorded in its run directory.
#ifndef EXPERIMENTS_RUN_H_
#define EXPERIMENTS_RUN_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/backend.h"
#include "core/run/run_directory.h"
#include "experiments/monitor.h"
#include "experiments/plan.h"
#include "experiments/resume.h"

namespace starling {

struct RunOptions {
  int cores = 1;                          // workers that compute at the same time
  bool timeline = false;                  // write trace.json
  std::vector<std::string> command_line;  // for the record
  std::string commit;                     // of the source this binary was built from
  bool dirty = false;
  std::string patch;                  // what of that source is in no commit
  Progress* progress = nullptr;       // not owned
  std::optional<ResumePoint> resume;  // what the run goes on from, in the lead
  std::optional<PlannedEnd> end;      // as in MonitorOptions

  // Called once, where a run of several processes fails, as soon as this process knows why: before
  // that is recorded and long before RunTraining returns, which a launcher may not let it.
  std::function<void(const absl::Status& reason)> failed;

  // Called with the run's monitor before training and with null after it, so that someone can
  // stop the run meanwhile.
  std::function<void(Monitor*)> watch;
};

// The backend of the plan. Collective, where a run has several processes.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Plan& plan, int cores);

// Trains, from the beginning or what options.resume says; of an earlier part of the run in the
// directory, metrics that its checkpoint does not know of are cut off. Whatever happens, the
// directory says it: STATUS, and summary.json with the reason. A
// status that is not OK means that the run failed (or could not be recorded).
//
// Where a run has several processes all of them call this, and all get the same status; the result
// is whole in the lead. `directory` is the lead's, null elsewhere; an error in its place ends the
// run in all processes.
absl::StatusOr<RunResult> RunTraining(const Plan& plan, Backend* backend,
                                      const absl::StatusOr<const RunDirectory*>& directory,
                                      const RunOptions& options);

}  // namespace starling

#endif  // EXPERIMENTS_RUN_H_
