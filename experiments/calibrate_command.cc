#include "experiments/calibrate_command.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "cluster/cluster.h"
#include "cluster/nccl_tests.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/calibration.h"
#include "experiments/launch.h"
#include "gflags/gflags.h"

DECLARE_string(config);
DECLARE_string(out);
DEFINE_string(import_nccl_tests, "",
              "take the network from files that nccl-tests has printed, not from here: A,B,...");

namespace starling {
namespace {

// Without a config: a world whose model is not of interest.
BuiltInConfig NetworkAlone(int workers) {
  return {"calibrate.textproto",
          absl::StrCat("name: \"cluster\" workers: ", workers,
                       " algorithm { name: \"allreduce\" } model { name: \"paced\" }"
                       " dataset { name: \"no_data\" }"
                       " train { local_batch_size: 1 max_steps: 1 }")};
}

absl::Status Write(const ClusterSpec& cluster) {
  const std::string path = UserPath(FLAGS_out);
  RETURN_IF_ERROR(WriteFileAtomically(path, PrintText(cluster), Until::kVisible));
  RETURN_IF_ERROR(LoadCluster(path).status());  // what others will make of it
  std::printf("cluster: %s\n", FLAGS_out.c_str());
  return absl::OkStatus();
}

absl::Status Import() {
  if (!FLAGS_config.empty()) {
    return absl::InvalidArgumentError(
        "--config names a model to measure here; --import_nccl_tests measures nothing");
  }
  std::vector<std::string> files;
  for (const absl::string_view file : absl::StrSplit(FLAGS_import_nccl_tests, ',')) {
    files.push_back(UserPath(file));
  }
  ASSIGN_OR_RETURN(const ClusterSpec cluster, ImportNcclTests(files));
  return Write(cluster);
}

absl::Status Measure(const Arguments& arguments, const BuiltInConfig& config, bool with_model,
                     const std::vector<std::string>& command_line) {
  ASSIGN_OR_RETURN(const Prepared prepared, Prepare(arguments, config));
  if (with_model) RETURN_IF_ERROR(CheckData(prepared.jobs));
  CalibrationParts parts;
  parts.model = with_model;
  ASSIGN_OR_RETURN(const ClusterSpec cluster,
                   Calibrate(*prepared.jobs[0].plan, parts, Cores(), command_line));
  return IsLead() ? Write(cluster) : absl::OkStatus();
}

}  // namespace

const Verb& CalibrateVerb() {
  static const Verb* verb =
      new Verb{"calibrate",
               "calibrate --out=FILE [--config=FILE] [flags]",
               "measure this cluster, and the config's model on it",
               {"out", "config", "set", "import_nccl_tests", "cores", "np", "hosts", "cpu"}};
  return *verb;
}

int CalibrateCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                     const std::vector<std::string>& command_line) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(absl::StrCat(
        "calibrate takes no \"", arguments.words[0], "\"; the config is --config=FILE")));
  }
  if (FLAGS_out.empty()) {
    return Complain(absl::InvalidArgumentError(
        "--out=FILE is missing: where calibrate writes the cluster, a text proto"));
  }
  if (!FLAGS_import_nccl_tests.empty()) {
    const absl::Status status = Import();
    return status.ok() ? 0 : Complain(status);
  }
  const bool has_config = !FLAGS_config.empty() || !built_in.text.empty();
  const int launched = Launch().ok() ? Launch()->size : 1;
  const BuiltInConfig config = has_config ? built_in : NetworkAlone(std::max(launched, 2));
  if (StartsProcesses()) {
    return RunAsProcesses(arguments, config, command_line,
                          [](const Prepared&) { return std::nullopt; });
  }
  const absl::Status status = Measure(arguments, config, has_config, command_line);
  return status.ok() ? 0 : Complain(status);
}

}  // namespace starling
