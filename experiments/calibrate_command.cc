#include "experiments/calibrate_command.h"
#include <cstdio>
#include "absl/strings/str_cat.h"
#include "core/status.h"
#include "experiments/launch.h"
#include "experiments/network_measurement.h"
#include "experiments/run.h"
#include "gflags/gflags.h"

DECLARE_string(out);  // of export
DECLARE_int32(cores);

namespace starling {

const Verb& CalibrateVerb() {
  static const Verb* verb = new Verb{"calibrate",
                                     "calibrate --out=FILE [--config=FILE] [flags]",
                                     "measure this cluster and the config's model",
                                     {"out", "config", "set", "cores", "np", "hosts", "cpu"}};
  return *verb;
}

int CalibrateCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                     const std::vector<std::string>&) {
  const auto prepared = Prepare(arguments, built_in);
  if (!prepared.ok()) return Complain(prepared.status());
  auto backend = MakeBackend(*prepared->jobs[0].plan, 2);
  if (!backend.ok()) return Complain(backend.status());
  const auto status = (*backend)->Run([](Communicator* comm) -> absl::Status {
    return MeasureNetwork(comm, [comm](const std::string& line) {
      if (comm->rank() == 0) std::fprintf(stderr, "%s\n", line.c_str());
    }).status();
  });
  return status.ok() ? 0 : Complain(status);
}

}  // namespace starling
