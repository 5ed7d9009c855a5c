// For tests of models: made-up data, and models bound to arenas of their own.
#ifndef MODELS_MODEL_TESTUTIL_H_
#define MODELS_MODEL_TESTUTIL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "data/dataset.h"
#include "models/model.h"

namespace starling {

// Numbers of this shape per example ("image") with a label of `classes` classes.
DataSpec LabelledSpec(std::vector<int64_t> shape, int64_t classes);

// Sentence pairs over one vocabulary, as data for translation has them.
DataSpec TranslationSpec(int64_t vocabulary);

// Sequences of tokens, each with the next one as its target, as data of text have them.
DataSpec TextSpec(int64_t context, int64_t vocabulary);

// `size` examples: N(0, 1) in floating-point fields; in integer ones labels below `classes`, or
// tokens 1 to `vocabulary` - 1 (0 may be padding). An open length is 5. The same for the same
// stream.
Batch MadeUpBatch(const DataSpec& data, int64_t size, uint64_t stream);

// Makes the model `plugin` from its config in text format, as the driver would.
absl::StatusOr<std::unique_ptr<Model>> CreateModel(absl::string_view plugin,
                                                   absl::string_view config,
                                                   const Model::Context& context);

// The elements of `arena` that the tensor called `name` has in `layout`, which has it.
Buffer TensorIn(const Buffer& arena, const Layout& layout, absl::string_view name);

// The bits of all elements.
std::string Bits(const Buffer& values);

double GetElement(const Buffer& values, int64_t i);
void SetElement(const Buffer& values, int64_t i, double value);

// Parameters and gradients, zeroed. With `shift` the arenas start that many elements (a multiple
// of kTensorPadding) into their memory, as a worker's part of a larger allocation would.
class Arenas {
 public:
  Arenas(const Layout& layout, DType type, int64_t shift = 0)
      : x_(layout.size + shift, type), g_(layout.size + shift, type), shift_(shift) {}

  Buffer x() const { return x_.buffer().Slice(shift_, x_.count() - shift_); }
  Buffer g() const { return g_.buffer().Slice(shift_, g_.count() - shift_); }

 private:
  Arena x_, g_;
  int64_t shift_;
};

// The loss, when a device has computed it.
double LossOf(const StepResult& result);

// One forward and backward pass that must succeed; returns the loss.
double Pass(Model* model, const Batch& batch, uint64_t stream = 1);

}  // namespace starling

#endif  // MODELS_MODEL_TESTUTIL_H_
