// For tests: directories that look as if a run had written them.
#ifndef EXPERIMENTS_REPORT_TEST_RUNS_H_
#define EXPERIMENTS_REPORT_TEST_RUNS_H_

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/run/file_io.h"
#include "core/status.h"

namespace starling {

inline void WriteText(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  CHECK_OK(WriteFileAtomically(path, text, Until::kVisible));
}

// Training losses `loss` / 1, / 2, ... over `records` records, 10 steps, 1 s and 1 MB apart, one
// validation at the end with twice the last loss, and a summary with that as eval_loss.
inline void WriteRun(const std::string& directory, double loss, int records = 4) {
  std::string metrics;
  for (int i = 1; i <= records; ++i) {
    absl::StrAppendFormat(&metrics,
                          "{\"step\":%d,\"epoch\":1,\"worker\":-1,\"wall_s\":%d,\"train/loss\":%g,"
                          "\"comm/bytes_sent_per_worker\":%d}\n",
                          10 * i, i, loss / i, 1000000 * i);
  }
  const double last = 2 * loss / records;
  absl::StrAppendFormat(
      &metrics,
      "{\"step\":%d,\"epoch\":1,\"worker\":-1,\"wall_s\":%d,\"validation/loss\":%g}\n"
      "{\"step\":%d,\"epoch\":1,\"worker\":0,\"wall_s\":%d,\"validation/loss\":99}\n",
      10 * records, records, last, 10 * records, records);
  WriteText(directory + "/metrics.jsonl", metrics);
  WriteText(directory + "/summary.json",
            absl::StrFormat(
                "{\"status\":\"done\",\"message\":\"\",\"steps\":%d,\"eval_loss\":%.10g,"
                "\"eval_accuracy\":null,\"worker_loss\":[3,null,1,2],\"wall_seconds\":%d,\"bytes_"
                "sent_per_worker\":%d,"
                "\"step_ms\":{\"mean\":100,\"p50\":90,\"p99\":110},"
                "\"phase_ms\":{\"data\":1,\"forward\":30,\"backward\":60,\"update\":4,\"wait\":5},"
                "\"bytes_per_link\":[{\"from\":0,\"to\":1,\"bytes\":1000},"
                "{\"from\":1,\"to\":0,\"bytes\":3000}],\"state_digest\":\"00ff\"}\n",
                10 * records, last, records, 1000000 * records));
  WriteText(directory + "/config.textproto", "name: \"tiny\" workers: 2 seed: 1\n");
  WriteText(directory + "/STATUS", "done\n");
}

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_TEST_RUNS_H_
