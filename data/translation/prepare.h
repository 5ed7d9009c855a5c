// From parallel text files to tokens on the disk.
#ifndef DATA_TRANSLATION_PREPARE_H_
#define DATA_TRANSLATION_PREPARE_H_

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "data/translation/translation.pb.h"

namespace starling {

// The text files of one split, and the name of their language-independent part ("train").
struct ParallelFiles {
  std::string name, source, target;
};

// Training, validation and test.
using TranslationFiles = std::array<ParallelFiles, 3>;

// Finds the files, unpacked or with .gz behind their names. NOT_FOUND says what was looked for.
absl::StatusOr<TranslationFiles> FindTranslationFiles(const TranslationConfig& config);

// Returns a directory, from the cache if it was prepared before, with
//
//   spm.model                        SentencePiece's model: trained, or a copy of the given one
//   0.source, 0.target, 1.source...  int32 tokens of each split's lines, kEndPiece behind each
//
// DATA_LOSS if files of a pair differ in their numbers of lines, or hold none; INVALID_ARGUMENT
// for what SentencePiece refuses.
absl::StatusOr<std::string> PrepareTranslation(const TranslationConfig& config,
                                               const TranslationFiles& files);

}  // namespace starling

#endif  // DATA_TRANSLATION_PREPARE_H_
