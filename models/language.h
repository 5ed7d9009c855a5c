// What models of text ask of a data set, checked before a model is built.
#ifndef MODELS_LANGUAGE_H_
#define MODELS_LANGUAGE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/dataset.h"

namespace starling {

struct LanguageSpec {
  int64_t context = 0;     // tokens of an example
  int64_t vocabulary = 0;  // of the model: at least the data's
};

// Returns what `data` holds, if these are sequences of tokens with the next one as target of each:
// the fields "tokens" and "targets", both [context], and a vocabulary. `vocabulary` is what the
// model's config asks for; 0: the data's. Otherwise INVALID_ARGUMENT says what `model` needs and
// what `data` gives.
absl::StatusOr<LanguageSpec> LanguageOf(absl::string_view model, const DataSpec& data,
                                        int64_t vocabulary);

}  // namespace starling

#endif  // MODELS_LANGUAGE_H_
