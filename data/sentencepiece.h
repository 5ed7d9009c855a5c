// SentencePiece (Kudo, Richardson, "SentencePiece: A simple and language independent subword
// tokenizer and detokenizer for Neural Text Processing", EMNLP 2018), through its programs, which
// Debian's package sentencepiece brings. For preparing data, not for reading batches.
#ifndef DATA_SENTENCEPIECE_H_
#define DATA_SENTENCEPIECE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace starling {

// Ids of the pieces that stand for no text, in every model that is trained here.
constexpr int32_t kPadPiece = 0, kUnknownPiece = 1, kBeginPiece = 2, kEndPiece = 3;

// Trains a model of `vocabulary_size` pieces, those four included, on the lines of `files` and
// writes <prefix>.model and <prefix>.vocab. The same for the same files: one thread, every line,
// every character. `options`: more of spm_train's ("--model_type=bpe").
//
// Errors say in one sentence what spm_train found ("... Vocabulary size too high (8000). Please
// set it to a value <= 1109."); NOT_FOUND if it is not installed.
absl::Status TrainSentencePiece(const std::vector<std::string>& files, int64_t vocabulary_size,
                                const std::vector<std::string>& options, const std::string& prefix);

// Returns the ids of all lines of the file `text` under the model in the file `model`, kEndPiece
// after each line. Errors as above.
absl::StatusOr<std::vector<int32_t>> EncodeWithSentencePiece(const std::string& model,
                                                             const std::string& text);

// Returns the pieces of the model in the file `model`, by id. Errors as above.
absl::StatusOr<std::vector<std::string>> PiecesOf(const std::string& model);

// What `ids` read as, with `pieces` of a model as trained here: as spm_decode prints it.
std::string TextOf(const std::vector<std::string>& pieces, absl::Span<const int64_t> ids);

}  // namespace starling

#endif  // DATA_SENTENCEPIECE_H_
