#include "models/classification.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace starling {
namespace {

bool IsFloat(DType type) { return type == DType::kF32 || type == DType::kF64; }

bool IsInteger(DType type) { return type == DType::kI32 || type == DType::kI64; }

std::string FieldText(const FieldSpec& field) {
  return absl::StrCat(field.name, " ", ShapeText(field.shape), " ", DTypeName(field.type));
}

}  // namespace

std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::StatusOr<ClassificationSpec> ClassificationOf(absl::string_view model, const DataSpec& data,
                                                    bool any_extents) {
  const auto& fields = data.fields;
  if (fields.size() != 2 || !IsFloat(fields[0].type) || !IsInteger(fields[1].type) ||
      !fields[1].shape.empty() || data.classes < 2) {
    std::string given = "no fields";
    if (!fields.empty()) {
      given = absl::StrJoin(fields, ", ", [](std::string* out, const FieldSpec& field) {
        absl::StrAppend(out, FieldText(field));
      });
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "model \"", model, "\" needs examples of numbers with one integer label each, ",
        "of at least 2 classes; data set gives ", given, " and ", data.classes, " classes"));
  }
  ClassificationSpec spec;
  spec.shape = fields[0].shape;
  spec.size = 1;
  for (int64_t extent : spec.shape) {
    spec.size *= extent;
    if (extent >= 0 || any_extents) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "model \"", model, "\" needs examples of one shape; those of the data set are ",
        ShapeText(spec.shape), ", where -1 differs from batch to batch"));
  }
  spec.classes = data.classes;
  return spec;
}

}  // namespace starling
