// The checkpoints of a run, as files:
//
//   RUN_DIR/checkpoints/step_000200/worker_<r>.safetensors   all state of worker r after 200 steps
//                                   average.safetensors      the average model, for `export`
//                                   record.safetensors       what metrics and totals go on with
//                                   manifest.json            last: with it the checkpoint counts
//   RUN_DIR/checkpoints/last_checkpoint                      "step_000200", for people and scripts
//
// Every file appears whole or not at all. The manifest holds a checksum of each file and of itself,
// so that any damage is found, and what the run was. Several machines may write the files of one
// checkpoint into a directory that they share.
#ifndef EXPERIMENTS_CHECKPOINT_DIRECTORY_H_
#define EXPERIMENTS_CHECKPOINT_DIRECTORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/safetensors.h"

namespace starling {

inline constexpr char kAverageFile[] = "average.safetensors";
inline constexpr char kRecordFile[] = "record.safetensors";
std::string WorkerFile(int worker);

struct CheckpointManifest {
  int64_t step = 0;  // that have been made
  int workers = 0;
  std::string config;                          // resolved, in text format
  std::string data, partition;                 // fingerprints
  std::map<std::string, std::string> metrics;  // positions of metric sinks, by name
  std::map<std::string, uint64_t> checksums;   // CRC-64 of the other files, by name
};

class CheckpointDirectory {
 public:
  // Of the run at this path. Nothing is made.
  explicit CheckpointDirectory(const std::string& run_directory);

  const std::string& run_directory() const { return run_directory_; }
  std::string Path(int64_t step) const;                           // .../checkpoints/step_000200
  std::string Path(int64_t step, const std::string& file) const;  // of a file in it

  // The step of a path that Path(step) may have made; -1 for any other.
  static int64_t StepOf(const std::string& path);

  // Makes the directory of a checkpoint. Any number of workers may.
  absl::Status Begin(int64_t step) const;

  // Makes the checkpoint count: all other files are there.
  absl::Status Commit(const CheckpointManifest& manifest) const;

  // Steps of checkpoints that count, newest first.
  std::vector<int64_t> Steps() const;

  // DATA_LOSS, in one sentence, for one that is damaged.
  absl::StatusOr<CheckpointManifest> ReadManifest(int64_t step) const;

  // Opens a file of the checkpoint and compares its checksum. DATA_LOSS, in one sentence, if it is
  // not the one that was written, or is missing.
  absl::StatusOr<std::unique_ptr<SafetensorsFile>> OpenFile(const CheckpointManifest& manifest,
                                                            const std::string& file) const;

  // Checks all files of a checkpoint, on some threads.
  absl::Status CheckFiles(const CheckpointManifest& manifest) const;

  // Removes the oldest checkpoints so that `keep` remain.
  absl::Status Prune(int keep) const;

  // Removes everything newer than `step`, and what was never committed.
  absl::Status RemoveAfter(int64_t step) const;

 private:
  absl::Status Remove(int64_t step) const;
  std::vector<int64_t> Directories() const;  // newest first

  std::string run_directory_;
  std::string path_;
};

}  // namespace starling

#endif  // EXPERIMENTS_CHECKPOINT_DIRECTORY_H_
