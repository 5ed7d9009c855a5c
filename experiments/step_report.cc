#include "experiments/step_report.h"

namespace starling {

RunMessage::Step Encode(int worker, int64_t step, const StepReport& report) {
  RunMessage::Step encoded;
  encoded.set_worker(worker);
  encoded.set_step(step);
  encoded.set_loss(report.loss);
  encoded.set_lr(report.lr);
  encoded.set_seconds(report.seconds);
  encoded.set_bytes_sent(report.bytes_sent);
  for (double seconds : report.phase_seconds) encoded.add_phase_seconds(seconds);
  for (const auto& [tensor, digest] : report.digests) {
    encoded.add_tensors(tensor);
    encoded.add_digests(digest);
  }
  return encoded;
}

StepReport Decode(const RunMessage::Step& encoded) {
  StepReport report;
  report.loss = encoded.loss();
  report.lr = encoded.lr();
  report.seconds = encoded.seconds();
  report.bytes_sent = encoded.bytes_sent();
  for (int i = 0; i < kPhases && i < encoded.phase_seconds_size(); ++i) {
    report.phase_seconds[i] = encoded.phase_seconds(i);
  }
  for (int i = 0; i < encoded.tensors_size() && i < encoded.digests_size(); ++i) {
    report.digests.emplace_back(encoded.tensors(i), encoded.digests(i));
  }
  return report;
}

}  // namespace starling
