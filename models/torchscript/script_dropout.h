// Makes the random numbers of a script module ours. LibTorch's generator belongs to the process: no
// run that used it could be repeated, and threads would disturb one another.
#ifndef MODELS_TORCHSCRIPT_SCRIPT_DROPOUT_H_
#define MODELS_TORCHSCRIPT_SCRIPT_DROPOUT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "torch/csrc/jit/api/module.h"

namespace starling {

// Lets every dropout that `forward` of `script` calls draw from the DropoutStream of its thread
// (models/torch/dropout.h); the calls of a pass are numbered as they come. Any other operator that
// is random in training is refused: INVALID_ARGUMENT names the first and says what would be right.
// Once per module, before it runs for the first time.
absl::Status TakeOverDropout(torch::jit::Module* script);

// While it lives, dropouts of this thread draw from `stream`. There is one at a time per thread.
class DropoutStream {
 public:
  explicit DropoutStream(uint64_t stream);
  ~DropoutStream();
  DropoutStream(const DropoutStream&) = delete;
  DropoutStream& operator=(const DropoutStream&) = delete;
};

}  // namespace starling

#endif  // MODELS_TORCHSCRIPT_SCRIPT_DROPOUT_H_
