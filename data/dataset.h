// Data sets: numbered examples in three splits, read by id. Which worker reads which id, and when,
// is not a data set's business (partition.h, sampler.h).
#ifndef DATA_DATASET_H_
#define DATA_DATASET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/buffer.h"

namespace starling {

// Validation data is a fixed part of the training set: "best" is chosen on it, never on test data.
enum class Split { kTrain, kValidation, kTest };

// "train", "validation", "test".
absl::string_view SplitName(Split split);

// One array of a batch; shape[0] is the batch size. `values` may be longer than the product of
// `shape` (memory kept from a larger batch).
struct BatchField {
  std::vector<int64_t> shape;
  Arena values;

  // The elements of this batch.
  Buffer buffer() const;
};

// What a model consumes: one BatchField per field of the data set's spec, in that order. Reading
// into the same Batch again reuses its memory.
struct Batch {
  int64_t size = 0;  // examples
  std::vector<BatchField> fields;

  // Where ReserveField takes memory from: zeroed memory of the host.
  Arena (*allocate)(int64_t count, DType type) = [](int64_t count, DType type) {
    return Arena(count, type);
  };
};

// Gives field `index` of `batch` the shape {size, shape...} and returns its elements, zeroed only
// if newly allocated.
Buffer ReserveField(Batch* batch, int index, int64_t size, absl::Span<const int64_t> shape,
                    DType type);

// Shape and meaning of one field, without the batch axis. A -1 in a shape stands for a length that
// differs from batch to batch (sequences padded to the longest of them).
struct FieldSpec {
  std::string name;  // "image", "label"
  std::vector<int64_t> shape;
  DType type = DType::kF32;
};

struct DataSpec {
  std::vector<FieldSpec> fields;  // classification: {"image", [C, H, W], F32}, {"label", [], I64}
  int64_t classes = 0;            // 0: no classification
  int64_t vocabulary = 0;         // token ids are below it; 0: the data are no tokens
};

class Translations;

class Dataset {
 public:
  static constexpr char kKind[] = "dataset";
  struct Context {
    uint64_t seed = 0;  // generated data depend on it; files do not
    int workers = 1;    // for data that differ per worker by construction
  };

  virtual ~Dataset() = default;
  virtual const DataSpec& spec() const = 0;
  virtual int64_t size(Split split) const = 0;

  // Identifies the data: the same for the same examples in the same order, wherever they lie.
  virtual uint64_t fingerprint() const = 0;

  // OK, or what keeps Read from working. A data set whose config says what its files hold can be
  // made, and a run planned with it, where the files are not: then this is NOT_FOUND, as is Read.
  virtual absl::Status Available() const { return absl::OkStatus(); }

  // Reads the examples with these ids (0..size(split)-1, any order, repeats allowed) into `out`.
  // `stream` is the random stream for augmentation. Pure and thread-safe. OUT_OF_RANGE names the
  // first wrong id and the split.
  virtual absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t stream,
                            Batch* out) const = 0;

  // The class of every example, for partitions and tables; empty where there are none.
  virtual absl::Span<const int32_t> labels(Split split) const = 0;

  // Relative cost of an example (tokens of a sentence); 1 where all are alike.
  virtual int64_t cost(Split split, int64_t example) const;

  // What data for translation have besides (data/translations.h); null: these are other data.
  virtual const Translations* translations() const { return nullptr; }
};

// OUT_OF_RANGE, naming the first wrong id and the split, unless every id is in
// 0..dataset.size(split)-1. For implementations of Read.
absl::Status CheckExamples(const Dataset& dataset, Split split, absl::Span<const int64_t> examples);

}  // namespace starling

#endif  // DATA_DATASET_H_
