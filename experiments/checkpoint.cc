#include "experiments/checkpoint.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/buffer.h"
#include "core/config/text.h"
#include "core/device/host_state.h"
#include "core/ops/ops.h"
#include "core/state_tensors.h"
#include "core/status.h"
#include "data/partition.h"

namespace starling {
namespace {

bool IsFloat(DType type) { return type == DType::kF32 || type == DType::kF64; }

Metadata MetadataOf(int64_t step) {
  return {{"format", "pt"}, {"step", absl::StrCat(step)}};  // "pt": as PyTorch names them
}

}  // namespace

CheckpointManifest ManifestOf(const Plan& plan, int64_t step) {
  CheckpointManifest manifest;
  manifest.step = step;
  manifest.workers = plan.config.workers();
  manifest.config = PrintText(plan.config);
  manifest.data = absl::StrFormat("%016x", plan.dataset->fingerprint());
  manifest.partition = absl::StrFormat("%016x", Fingerprint(plan.assignment));
  return manifest;
}

absl::StatusOr<int64_t> Checkpointer::Restore(bool away) {
  ASSIGN_OR_RETURN(start_, monitor_->Start());
  if (away) return start_.step;
  if (!start_.source.empty()) {
    const CheckpointDirectory directory(start_.source);
    RETURN_IF_ERROR(WithContext(Load(directory, start_.step),
                                absl::StrCat("checkpoint ", directory.Path(start_.step))));
    if (start_.source == start_.run_directory) saved_step_ = start_.step;
  }
  // Checkpoints that this run has left behind would count as its future.
  if (comm_->rank() == 0 && !start_.run_directory.empty()) {
    RETURN_IF_ERROR(CheckpointDirectory(start_.run_directory).RemoveAfter(saved_step_));
  }
  RETURN_IF_ERROR(evaluator_->Gather(0).status());  // nobody writes before they are gone
  return start_.step;
}

absl::Status Checkpointer::Load(const CheckpointDirectory& directory, int64_t step) {
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, directory.ReadManifest(step));
  ASSIGN_OR_RETURN(const auto file, directory.OpenFile(manifest, WorkerFile(comm_->rank())));
  TensorLoader loader(layout_, &file->tensors());
  HostState host(&loader);
  RETURN_IF_ERROR(visit_(&host));
  RETURN_IF_ERROR(host.PutBack());
  PrefixVisitor totals("totals/", &loader);
  RETURN_IF_ERROR(comm_->recorder().VisitTotals(&totals));
  return loader.CheckAllUsed();
}

bool Checkpointer::IsDue(int64_t step) const {
  const int64_t every = plan_->config.checkpoint().every_steps();
  return every > 0 && step % every == 0;
}

absl::Status Checkpointer::Save(int64_t step, const VisitState& model) {
  if (step == saved_step_ || plan_->config.checkpoint().keep() == 0 ||
      start_.run_directory.empty()) {
    return absl::OkStatus();
  }
  const CheckpointDirectory directory(start_.run_directory);
  RETURN_IF_ERROR(directory.Begin(step));
  TensorSaver saver(layout_);
  HostState host(&saver);
  RETURN_IF_ERROR(visit_(&host));
  PrefixVisitor totals("totals/", &saver);
  RETURN_IF_ERROR(comm_->recorder().VisitTotals(&totals));
  const std::string file = WorkerFile(comm_->rank());
  ASSIGN_OR_RETURN(const uint64_t checksum,
                   WriteSafetensors(directory.Path(step, file), saver.tensors(), MetadataOf(step)));
  ASSIGN_OR_RETURN(const uint64_t average_checksum,
                   WriteAverage(directory.Path(step, kAverageFile), step, model));
  // Everybody has written when everybody has answered.
  ASSIGN_OR_RETURN(const auto checksums, evaluator_->GatherBits(checksum));
  saved_step_ = step;
  if (comm_->rank() != 0) return absl::OkStatus();
  CheckpointManifest manifest = ManifestOf(*plan_, step);
  for (size_t k = 0; k < checksums.size(); ++k) {
    manifest.checksums[WorkerFile(evaluator_->members()[k])] = checksums[k];
  }
  manifest.checksums[kAverageFile] = average_checksum;
  return Commit(directory, std::move(manifest));
}

absl::StatusOr<uint64_t> Checkpointer::WriteAverage(const std::string& path, int64_t step,
                                                    const VisitState& model) {
  RETURN_IF_ERROR(evaluator_->UpdateAverage());
  TensorSaver saver(/*layout=*/nullptr);
  HostState host(&saver);
  RETURN_IF_ERROR(model(&host));
  TensorMap tensors = saver.tensors();
  int64_t count = 0;
  for (const auto& [name, tensor] : tensors) {
    if (IsFloat(tensor.values.type)) count += tensor.values.count;
  }
  // All statistics in one sum. Counters are equal on all workers.
  const Arena sum(count, DType::kF64);
  std::vector<Arena> averages;
  const auto each = [&](const auto& body) {
    int64_t offset = 0;
    for (auto& [name, tensor] : tensors) {
      if (!IsFloat(tensor.values.type)) continue;
      body(sum.buffer().Slice(offset, tensor.values.count), &tensor.values);
      offset += tensor.values.count;
    }
  };
  each([](Buffer part, const Buffer* values) { ops::Convert(*values, part); });
  if (count > 0) RETURN_IF_ERROR(evaluator_->SumOverWorkers(sum.buffer()));
  if (comm_->rank() != 0) return 0;
  ops::Scale(1.0 / static_cast<double>(evaluator_->members().size()), sum.buffer());
  each([&](Buffer part, Buffer* values) {
    *values = averages.emplace_back(part.count, values->type).buffer();
    ops::Convert(part, *values);
  });
  ASSIGN_OR_RETURN(const Buffer average, host.OnHost(evaluator_->average()));
  for (const TensorInfo& tensor : layout_->tensors) {
    tensors[tensor.name] = {tensor.shape, average.Slice(tensor.offset, tensor.count)};
  }
  return WriteSafetensors(path, tensors, MetadataOf(step));
}

absl::Status Checkpointer::Commit(const CheckpointDirectory& directory,
                                  CheckpointManifest manifest) {
  ASSIGN_OR_RETURN(manifest.metrics, monitor_->Settle(manifest.step));
  TensorSaver record(/*layout=*/nullptr);
  RETURN_IF_ERROR(monitor_->VisitState(&record));
  ASSIGN_OR_RETURN(manifest.checksums[kRecordFile],
                   WriteSafetensors(directory.Path(manifest.step, kRecordFile), record.tensors(),
                                    MetadataOf(manifest.step)));
  RETURN_IF_ERROR(directory.Commit(manifest));
  return directory.Prune(plan_->config.checkpoint().keep());
}

}  // namespace starling
