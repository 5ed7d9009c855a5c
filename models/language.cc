#include "models/language.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/buffer.h"

namespace starling {

absl::StatusOr<LanguageSpec> LanguageOf(absl::string_view model, const DataSpec& data,
                                        int64_t vocabulary) {
  const auto& fields = data.fields;
  const auto is_sequence = [&](size_t i, absl::string_view name) {
    return fields[i].name == name && fields[i].type == DType::kI64 && fields[i].shape.size() == 1 &&
           fields[i].shape[0] == fields[0].shape[0];
  };
  if (fields.size() != 2 || !is_sequence(0, "tokens") || !is_sequence(1, "targets") ||
      fields[0].shape[0] < 1 || data.vocabulary < 1) {
    const std::string given = absl::StrJoin(
        fields, ", ",
        [](std::string* out, const FieldSpec& field) { absl::StrAppend(out, field.name); });
    return absl::InvalidArgumentError(absl::StrCat(
        "model \"", model, "\" needs sequences of tokens with targets, such as the data sets ",
        "\"text\" and \"tokens\" give; data set gives ", given.empty() ? "no fields" : given));
  }
  if (vocabulary != 0 && vocabulary < data.vocabulary) {
    return absl::InvalidArgumentError(absl::StrCat("model \"", model, "\": vocabulary is ",
                                                   vocabulary, ", but the data set has ",
                                                   data.vocabulary, " different tokens"));
  }
  return LanguageSpec{fields[0].shape[0], vocabulary == 0 ? data.vocabulary : vocabulary};
}

}  // namespace starling
