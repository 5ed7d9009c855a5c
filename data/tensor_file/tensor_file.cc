// Arrays that Python saved: .npy, .npz or .safetensors files. README.md says what they must hold.
//
// Arrays stay as they are in their files (mapped into memory where they are not packed) and are
// converted when a batch is read.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/registry.h"
#include "core/run/run_directory.h"
#include "core/state.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/tensor_file/array_store.h"
#include "data/tensor_file/tensor_file.pb.h"

namespace starling {
namespace {

constexpr Split kSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};
constexpr char kLabel[] = "label";

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("dataset \"tensor_file\": ", what));
}

bool IsInteger(DType type) { return type == DType::kI32 || type == DType::kI64; }

// Where `field` says that the array of `split` lies; empty if it does not.
const std::string& PlaceOf(const TensorFileConfig::Field& field, Split split) {
  if (split == Split::kTrain) return field.train();
  return split == Split::kValidation ? field.validation() : field.test();
}

// The arrays of one field, by split; all of one type, and of one shape but for their first axis.
struct Column {
  FieldSpec spec;
  int64_t row = 1;  // elements of one example
  std::array<Buffer, 3> values;

  Buffer& of(Split split) { return values[static_cast<int>(split)]; }
  const Buffer& of(Split split) const { return values[static_cast<int>(split)]; }
};

// The numbers of `from`, as integers.
std::vector<int64_t> Integers(const Buffer& from) {
  std::vector<int64_t> values(from.count);
  const auto copy = [&](auto span) { std::copy(span.begin(), span.end(), values.begin()); };
  if (from.type == DType::kI32) copy(from.as<int32_t>());
  if (from.type == DType::kI64) copy(from.as<int64_t>());
  if (from.type == DType::kByte) copy(from.as<uint8_t>());
  return values;
}

class TensorFile final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const TensorFileConfig& config,
                                                         const Dataset::Context&) {
    auto data = std::make_unique<TensorFile>(config);
    RETURN_IF_ERROR(data->Load(config));
    return data;
  }

  explicit TensorFile(const TensorFileConfig& config)
      : store_(config.dir().empty() ? UserPath(".") : UserPath(config.dir())) {
    for (int byte = 0; byte < 256; ++byte) {
      bytes_[byte] = static_cast<float>(config.scale() ? byte / 255.0 : byte);
    }
  }

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return columns_[0].of(split).count / columns_[0].row; }
  uint64_t fingerprint() const override { return fingerprint_; }
  absl::Span<const int32_t> labels(Split split) const override {
    return labels_[static_cast<int>(split)];
  }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    out->size = static_cast<int64_t>(examples.size());
    out->fields.resize(columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Column& column = columns_[i];
      const Buffer to =
          ReserveField(out, static_cast<int>(i), out->size, column.spec.shape, column.spec.type);
      for (int64_t k = 0; k < out->size; ++k) {
        ReadRow(column.of(split).Slice(examples[k] * column.row, column.row),
                to.Slice(k * column.row, column.row));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Load(const TensorFileConfig& config);
  absl::Status LoadColumn(const TensorFileConfig::Field& field);
  absl::Status CheckSplits(const TensorFileConfig& config) const;
  absl::Status SplitTrainingArrays(const TensorFileConfig& config);
  absl::Status ReadLabels(const TensorFileConfig& config);
  absl::Status CountTokens(const TensorFileConfig& config);
  void ReadRow(const Buffer& from, const Buffer& to) const;

  ArrayStore store_;
  std::array<float, 256> bytes_;  // what an unsigned byte becomes
  std::vector<Column> columns_;
  std::array<std::vector<int32_t>, 3> labels_;  // by split
  DataSpec spec_;
  uint64_t fingerprint_ = 0;
};

void TensorFile::ReadRow(const Buffer& from, const Buffer& to) const {
  const auto convert = [](auto values, auto out) {
    std::copy(values.begin(), values.end(), out.begin());
  };
  if (from.type == to.type) {
    if (from.count > 0) std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
  } else if (from.type == DType::kI32) {
    convert(from.as<int32_t>(), to.as<int64_t>());
  } else if (to.type == DType::kI64) {
    convert(from.as<uint8_t>(), to.as<int64_t>());
  } else {
    const auto values = from.as<uint8_t>();
    std::transform(values.begin(), values.end(), to.as<float>().begin(),
                   [this](uint8_t byte) { return bytes_[byte]; });
  }
}

absl::Status TensorFile::Load(const TensorFileConfig& config) {
  if (config.field().empty()) {
    return Wrong(
        "dataset.config.field is not set; every field of the examples needs one, such as "
        "field { name: \"image\" train: \"train.npz:x\" }");
  }
  for (const auto& field : config.field()) {
    RETURN_IF_ERROR(WithContext(
        LoadColumn(field), absl::StrCat("dataset \"tensor_file\": field \"", field.name(), "\"")));
  }
  RETURN_IF_ERROR(CheckSplits(config));
  RETURN_IF_ERROR(SplitTrainingArrays(config));
  for (const Column& column : columns_) spec_.fields.push_back(column.spec);
  RETURN_IF_ERROR(ReadLabels(config));
  RETURN_IF_ERROR(CountTokens(config));

  const Layout no_layout;
  DigestVisitor digest(&no_layout);
  std::vector<uint64_t> parts = {config.scale() ? 1u : 0u, static_cast<uint64_t>(spec_.classes),
                                 static_cast<uint64_t>(spec_.vocabulary)};
  for (Split split : kSplits) {
    parts.push_back(static_cast<uint64_t>(size(split)));
    for (const Column& column : columns_) {
      RETURN_IF_ERROR(
          digest.Visit(absl::StrCat(column.spec.name, "/", SplitName(split)), column.of(split)));
    }
  }
  for (const Column& column : columns_) {
    for (int64_t extent : column.spec.shape) parts.push_back(static_cast<uint64_t>(extent));
  }
  parts.push_back(digest.digest());
  fingerprint_ = CombineDigests(parts);
  return absl::OkStatus();
}

absl::Status TensorFile::LoadColumn(const TensorFileConfig::Field& field) {
  if (field.name().empty()) return absl::InvalidArgumentError("it has no name");
  for (const Column& other : columns_) {
    if (other.spec.name == field.name()) return absl::InvalidArgumentError("it stands there twice");
  }
  if (field.train().empty()) {
    return absl::InvalidArgumentError(
        "it has no train; that is where the array of the training examples lies");
  }
  Column column;
  DType type = DType::kF32;
  for (Split split : kSplits) {
    const std::string& place = PlaceOf(field, split);
    if (place.empty()) continue;
    ASSIGN_OR_RETURN(ShapedBuffer array, store_.Get(place));
    if (array.shape.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, " is a single number; its first axis must be the examples"));
    }
    array.shape.erase(array.shape.begin());
    if (split == Split::kTrain) {
      column.spec.shape = array.shape;
      type = array.values.type;
    } else if (array.shape != column.spec.shape || array.values.type != type) {
      return absl::InvalidArgumentError(
          absl::StrCat("an example in ", place, " is ", DTypeName(array.values.type), " [",
                       absl::StrJoin(array.shape, ", "), "], but one in ", field.train(), " is ",
                       DTypeName(type), " [", absl::StrJoin(column.spec.shape, ", "), "]"));
    }
    column.of(split) = array.values;
  }
  for (int64_t extent : column.spec.shape) column.row *= extent;
  if (column.of(Split::kTrain).count == 0) {
    return absl::InvalidArgumentError(absl::StrCat(field.train(), " has no elements"));
  }
  column.spec.name = field.name();
  column.spec.type = type;
  if (type == DType::kByte) column.spec.type = DType::kF32;
  if (IsInteger(type) || field.name() == kLabel) column.spec.type = DType::kI64;
  if (field.name() == kLabel &&
      (type == DType::kF32 || type == DType::kF64 || !column.spec.shape.empty())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "labels are one integer per example; ", field.train(), " has ", DTypeName(type), " [",
        absl::StrJoin(column.spec.shape, ", "), "] (give the field another name if it is none)"));
  }
  columns_.push_back(std::move(column));
  return absl::OkStatus();
}

absl::Status TensorFile::CheckSplits(const TensorFileConfig& config) const {
  for (Split split : kSplits) {
    const bool named = !PlaceOf(config.field(0), split).empty();
    for (int i = 1; i < config.field_size(); ++i) {
      const std::string& place = PlaceOf(config.field(i), split);
      if (place.empty() == named) {
        return Wrong(absl::StrCat("field \"", config.field(named ? i : 0).name(), "\" has no ",
                                  SplitName(split), " array, but field \"",
                                  config.field(named ? 0 : i).name(), "\" has one"));
      }
      const int64_t rows = columns_[i].of(split).count / columns_[i].row;
      if (rows == size(split)) continue;
      return Wrong(absl::StrCat(place, " holds ", rows, " examples, but ",
                                PlaceOf(config.field(0), split), " holds ", size(split)));
    }
  }
  return absl::OkStatus();
}

absl::Status TensorFile::SplitTrainingArrays(const TensorFileConfig& config) {
  const int64_t total = size(Split::kTrain);
  int64_t end = total;
  for (Split split : {Split::kTest, Split::kValidation}) {
    if (!PlaceOf(config.field(0), split).empty()) continue;
    const double share = split == Split::kTest ? config.test_share() : config.validation_share();
    const auto count = static_cast<int64_t>(share * static_cast<double>(total));
    end -= count;
    if (end < 1) {
      return Wrong(absl::StrCat("validation_share ", config.validation_share(), " and test_share ",
                                config.test_share(), " leave nothing of ", total,
                                " examples to train on"));
    }
    for (Column& column : columns_) {
      column.of(split) = column.of(Split::kTrain).Slice(end * column.row, count * column.row);
    }
  }
  for (Column& column : columns_) {
    column.of(Split::kTrain) = column.of(Split::kTrain).Slice(0, end * column.row);
  }
  return absl::OkStatus();
}

absl::Status TensorFile::ReadLabels(const TensorFileConfig& config) {
  const auto column = std::find_if(columns_.begin(), columns_.end(), [](const Column& candidate) {
    return candidate.spec.name == kLabel;
  });
  if (column == columns_.end()) {
    if (config.classes() == 0) return absl::OkStatus();
    return Wrong(
        absl::StrCat("classes is ", config.classes(), ", but no field is called \"", kLabel, "\""));
  }
  int64_t classes = config.classes();
  for (Split split : kSplits) {
    for (int64_t label : Integers(column->of(split))) {
      if (config.classes() == 0) classes = std::max(classes, std::min(label, INT64_MAX - 1) + 1);
      if (label < 0 || label >= classes || label > std::numeric_limits<int32_t>::max()) {
        return Wrong(absl::StrCat(
            "a ", SplitName(split), " label is ", label, "; labels are integers from 0 to ",
            config.classes() == 0 ? "2147483647" : absl::StrCat(classes - 1)));
      }
      labels_[static_cast<int>(split)].push_back(static_cast<int32_t>(label));
    }
  }
  spec_.classes = classes;
  return absl::OkStatus();
}

absl::Status TensorFile::CountTokens(const TensorFileConfig& config) {
  if (spec_.classes > 0 && config.vocabulary() == 0) return absl::OkStatus();
  spec_.vocabulary = config.vocabulary();
  bool tokens = false;
  for (const Column& column : columns_) {
    if (column.spec.type != DType::kI64 || column.spec.name == kLabel) continue;
    tokens = true;
    for (Split split : kSplits) {
      for (int64_t token : Integers(column.of(split))) {
        if (config.vocabulary() == 0) {
          spec_.vocabulary = std::max(spec_.vocabulary, std::min(token, INT64_MAX - 1) + 1);
        }
        if (token >= 0 && token < spec_.vocabulary) continue;
        return Wrong(absl::StrCat("field \"", column.spec.name, "\" has a token ", token,
                                  " in the ", SplitName(split), " split; tokens are 0 to ",
                                  std::max<int64_t>(spec_.vocabulary - 1, 0)));
      }
    }
  }
  if (!tokens && config.vocabulary() > 0) {
    return Wrong(absl::StrCat("vocabulary is ", config.vocabulary(),
                              ", but no field has integers that are no labels"));
  }
  return absl::OkStatus();
}

STARLING_REGISTER_PLUGIN(Dataset, TensorFile, TensorFileConfig,
                         PluginFacts{"tensor_file",
                                     "arrays from .npy, .npz or .safetensors files, as Python "
                                     "saves them",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
