#include "data/dataset.h"

#include "absl/strings/str_cat.h"

namespace starling {

absl::string_view SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "?";
}

Buffer BatchField::buffer() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return values.buffer().Slice(0, count);
}

Buffer ReserveField(Batch* batch, int index, int64_t size, absl::Span<const int64_t> shape,
                    DType type) {
  if (static_cast<int>(batch->fields.size()) <= index) batch->fields.resize(index + 1);
  BatchField& field = batch->fields[index];
  field.shape.assign(1, size);
  field.shape.insert(field.shape.end(), shape.begin(), shape.end());
  int64_t count = size;
  for (int64_t extent : shape) count *= extent;
  if (field.values.count() < count || field.values.buffer().type != type) {
    field.values = batch->allocate(count, type);
  }
  return field.buffer();
}

int64_t Dataset::cost(Split, int64_t) const { return 1; }

absl::Status CheckExamples(const Dataset& dataset, Split split,
                           absl::Span<const int64_t> examples) {
  const int64_t size = dataset.size(split);
  for (int64_t example : examples) {
    if (example >= 0 && example < size) continue;
    return absl::OutOfRangeError(absl::StrCat(
        "example ", example, " of split \"", SplitName(split), "\" does not exist; ",
        size == 0 ? "the split is empty" : absl::StrCat("its ids are 0 to ", size - 1)));
  }
  return absl::OkStatus();
}

}  // namespace starling
