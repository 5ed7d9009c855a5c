// The data set behind those of token sequences (tokens, text): flat files of token ids, and windows
// of `context` tokens on them.
//
//   tokens  = t[s], ..., t[s + context - 1]        targets = t[s + 1], ..., t[s + context]
//
// Example i of every split begins at s = i * context, so that the windows lie side by side and each
// token is read once (as target); what is left at the end of a split and fills no window is not
// read. In training, with random offsets, it begins at s = i * context + u instead, u uniform in
// 0..context-1 (less for the last window), drawn from the batch's stream and i: windows begin
// everywhere, as where batches are drawn at random, yet an epoch covers the text evenly.
//
// A directory holds train.bin, val.bin and perhaps test.bin: ids of two bytes, little-endian,
// nothing else, as nanoGPT prepares them. Without test.bin the second half of val.bin is the test
// split. Files are mapped, not read.
#ifndef DATA_TOKEN_WINDOWS_H_
#define DATA_TOKEN_WINDOWS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/run/mapped_file.h"
#include "data/dataset.h"

namespace starling {

struct TokenWindowsOptions {
  int64_t context = 0;
  int64_t vocabulary = 0;  // ids are below it
  bool random_offsets = true;
  int64_t expected_train = 0, expected_val = 0;  // tokens of the files; 0: any
};

class TokenWindows final : public Dataset {
 public:
  // `name`: the data set's, for messages. NOT_FOUND for a missing file, DATA_LOSS for one of an odd
  // number of bytes or of other tokens than expected, INVALID_ARGUMENT for a training split that
  // holds no window. Where `directory` is NOT_FOUND and both numbers of tokens are expected, the
  // data set is as they say, and not Available.
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(absl::string_view name,
                                                       const absl::StatusOr<std::string>& directory,
                                                       const TokenWindowsOptions& options);

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override;

  // Of the lengths of the files and at most 64 MiB of each, in evenly spaced blocks: reading all of
  // a corpus would take minutes.
  uint64_t fingerprint() const override { return fingerprint_; }
  absl::Status Available() const override { return missing_; }

  // An id that is not below the vocabulary is DATA_LOSS.
  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t stream,
                    Batch* out) const override;
  absl::Span<const int32_t> labels(Split) const override { return {}; }

 private:
  struct Tokens {
    static absl::StatusOr<Tokens> Open(const std::string& path, int64_t expected);

    std::string path;
    std::shared_ptr<const MappedFile> file;  // null: not available
    int64_t first = 0, count = 0;            // ids of the file
  };

  TokenWindows(absl::Status missing, std::vector<Tokens> splits,
               const TokenWindowsOptions& options);

  const absl::Status missing_;
  const std::vector<Tokens> splits_;  // by Split
  const TokenWindowsOptions options_;
  DataSpec spec_;
  uint64_t fingerprint_ = 0;
};

}  // namespace starling

#endif  // DATA_TOKEN_WINDOWS_H_
