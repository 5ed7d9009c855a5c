// What classifiers ask of a data set, checked before a model is built, so that a mismatch is
// answered in our words and not by a library deep inside a layer.
#ifndef MODELS_CLASSIFICATION_H_
#define MODELS_CLASSIFICATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/dataset.h"

namespace starling {

struct ClassificationSpec {
  std::vector<int64_t> shape;  // of one example; -1: differs from batch to batch
  int64_t size = 0;            // numbers in one example; of no meaning with a -1
  int64_t classes = 0;
};

// Returns what `data` holds, if it is for classification: a field of numbers and a field with one
// integer label per example. Examples must all have the same shape, unless `any_extents`.
// Otherwise INVALID_ARGUMENT says what `model` needs and what `data` gives.
absl::StatusOr<ClassificationSpec> ClassificationOf(absl::string_view model, const DataSpec& data,
                                                    bool any_extents = false);

// "[1, 28, 28]".
std::string ShapeText(absl::Span<const int64_t> shape);

}  // namespace starling

#endif  // MODELS_CLASSIFICATION_H_
