// Runs on this machine, side by side. See README.md.
#include <algorithm>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "experiments/sweep/launcher.h"
#include "experiments/sweep/launchers/local/local.pb.h"

namespace starling {
namespace {

class LocalLauncher final : public Launcher {
 public:
  static absl::StatusOr<std::unique_ptr<Launcher>> Create(const LocalLauncherConfig&,
                                                          const Context&) {
    return std::make_unique<LocalLauncher>();
  }

  absl::StatusOr<QueueEnd> Launch(SweepSession* session) override {
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const int jobs = session->options().jobs > 0 ? session->options().jobs : cores;
    return session->Run(jobs, [session](const SweepRun& run, int run_cores) {
      auto command = session->TrainCommand(run);
      command.push_back(absl::StrCat("--cores=", run_cores));
      return command;
    });
  }
};

STARLING_REGISTER_PLUGIN(Launcher, LocalLauncher, LocalLauncherConfig,
                         PluginFacts{"local", "on this machine, one run per core or --jobs=N",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
