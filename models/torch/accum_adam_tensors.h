// For benchmarks: mixing two sources, AccumAdam and the copy-out (optim/accum_adam), written with
// LibTorch's tensor operations as one would in PyTorch, each in place where it can be.
#ifndef MODELS_TORCH_ACCUM_ADAM_TENSORS_H_
#define MODELS_TORCH_ACCUM_ADAM_TENSORS_H_

#include <memory>

#include "core/buffer.h"

namespace starling {

// x <- x/2 + peer/2, then one step with lr 1e-3, beta1 0.9, beta2 0.999, eps 1e-8 and a window of 4
// steps, then out <- x. Works on the F32 buffers given, on one thread.
class AccumAdamTensors {
 public:
  AccumAdamTensors(Buffer x, Buffer gradient, Buffer peer, Buffer out);
  ~AccumAdamTensors();

  void Step();

 private:
  struct Tensors;
  std::unique_ptr<Tensors> t_;
  int step_ = 0;
};

}  // namespace starling

#endif  // MODELS_TORCH_ACCUM_ADAM_TENSORS_H_
