// Every run as processes of MPI. See README.md.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "experiments/sweep/launcher.h"
#include "experiments/sweep/launchers/mpirun/mpirun.pb.h"

namespace starling {
namespace {

class MpirunLauncher final : public Launcher {
 public:
  static absl::StatusOr<std::unique_ptr<Launcher>> Create(const MpirunLauncherConfig& config,
                                                          const Context&) {
    return std::make_unique<MpirunLauncher>(config.hosts());
  }

  explicit MpirunLauncher(std::string hosts) : hosts_(std::move(hosts)) {}

  absl::StatusOr<QueueEnd> Launch(SweepSession* session) override {
    const int jobs = session->options().jobs > 0 ? session->options().jobs : 1;
    return session->Run(jobs, [this, session](const SweepRun& run, int) {
      auto command = session->TrainCommand(run);
      command.push_back(absl::StrCat("--np=", run.config.workers()));
      if (!hosts_.empty()) command.push_back(absl::StrCat("--hosts=", hosts_));
      return command;
    });
  }

 private:
  const std::string hosts_;
};

STARLING_REGISTER_PLUGIN(Launcher, MpirunLauncher, MpirunLauncherConfig,
                         PluginFacts{"mpirun", "a process per worker, through mpirun",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
