#include "experiments/export_command.h"

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/run/run_directory.h"
#include "core/safetensors.h"
#include "core/status.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/prepare.h"
#include "gflags/gflags.h"

DECLARE_string(run_dir);
DEFINE_string(out, "", "the file to write: export a .safetensors, calibrate a text proto");
DEFINE_int32(worker, -1, "export this worker's own model; default: the average of all");

namespace starling {
namespace {

// The parameters and the model's own state of a worker's file, under their own names.
TensorMap ModelOf(const TensorMap& tensors) {
  TensorMap model;
  for (const auto& [name, tensor] : tensors) {
    absl::string_view own = name;
    if (absl::ConsumePrefix(&own, "parameters/") || absl::ConsumePrefix(&own, "model/")) {
      model[std::string(own)] = tensor;
    }
  }
  return model;
}

absl::Status ExportFrom(const CheckpointDirectory& directory, const CheckpointManifest& manifest) {
  const bool own = FLAGS_worker >= 0;
  if (FLAGS_worker >= manifest.workers) {
    return absl::InvalidArgumentError(absl::StrCat("--worker=", FLAGS_worker, ": the run has ",
                                                   manifest.workers, " workers, counted from 0"));
  }
  ASSIGN_OR_RETURN(const auto file,
                   directory.OpenFile(manifest, own ? WorkerFile(FLAGS_worker) : kAverageFile));
  const TensorMap model = own ? ModelOf(file->tensors()) : file->tensors();
  const std::string out = UserPath(FLAGS_out);
  RETURN_IF_ERROR(WriteSafetensors(out, model, file->metadata()).status());
  std::printf("%s: %d tensors, %s after step %d\n", out.c_str(), static_cast<int>(model.size()),
              own ? absl::StrCat("the model of worker ", FLAGS_worker).c_str()
                  : absl::StrCat("the average of ", manifest.workers, " workers").c_str(),
              static_cast<int>(manifest.step));
  return absl::OkStatus();
}

absl::Status Export() {
  for (const auto& [flag, value] : {std::pair("run_dir", FLAGS_run_dir), {"out", FLAGS_out}}) {
    if (value.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--", flag, " is missing; export needs --run_dir=DIR --out=FILE.safetensors"));
    }
  }
  const CheckpointDirectory directory(UserPath(FLAGS_run_dir));
  absl::Status newest;
  for (int64_t step : directory.Steps()) {
    const auto manifest = directory.ReadManifest(step);
    const absl::Status status =
        manifest.ok() ? ExportFrom(directory, *manifest) : manifest.status();
    if (!absl::IsDataLoss(status)) return status;
    std::fprintf(stderr, "note: checkpoint %s is passed over: %s\n", directory.Path(step).c_str(),
                 std::string(status.message()).c_str());
    newest.Update(status);
  }
  if (!newest.ok()) return newest;
  return absl::NotFoundError(absl::StrCat("there is no checkpoint in ", directory.run_directory(),
                                          "/checkpoints to export"));
}

}  // namespace

const Verb& ExportVerb() {
  static const Verb* verb = new Verb{"export",
                                     "export --run_dir=DIR --out=FILE.safetensors [--worker=R]",
                                     "write a run's averaged model for PyTorch",
                                     {"run_dir", "out", "worker"}};
  return *verb;
}

int ExportCommand(const Arguments& arguments) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(
        absl::StrCat("export takes no \"", arguments.words[0], "\"; the run is --run_dir=DIR")));
  }
  const absl::Status status = Export();
  return status.ok() ? 0 : Complain(status);
}

}  // namespace starling
