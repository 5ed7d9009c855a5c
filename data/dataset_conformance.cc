#include "data/dataset_conformance.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/registry.h"
#include "gmock/gmock.h"

namespace starling {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr Split kSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};
constexpr uint64_t kStream = 17;  // for augmentation; the same wherever reads are compared

// Up to `most` ids of `split`, spread over all of it.
std::vector<int64_t> SomeIds(const Dataset& dataset, Split split, int64_t most) {
  const int64_t size = dataset.size(split), count = std::min(size, most);
  std::vector<int64_t> ids(count);
  for (int64_t i = 0; i < count; ++i) ids[i] = i * size / count;
  return ids;
}

// The bytes of example `index` of `batch`, all fields. Where a length differs from batch to batch,
// the zeros that fill it up are left out.
std::string ExampleBytes(const DataSpec& spec, const Batch& batch, int64_t index) {
  std::string bytes;
  for (size_t f = 0; f < batch.fields.size(); ++f) {
    const Buffer all = batch.fields[f].buffer();
    const int64_t count = all.count / batch.size;
    const Buffer one = all.Slice(index * count, count);
    std::string field(static_cast<const char*>(one.data), one.bytes());
    const std::vector<int64_t>& shape = spec.fields[f].shape;
    if (std::count(shape.begin(), shape.end(), -1) > 0) {
      field.resize(field.find_last_not_of('\0') + 1);
      field += '\0';
    }
    bytes += field;
  }
  return bytes;
}

// Reads `ids` in one batch; the bytes of each.
std::vector<std::string> ReadBytes(const Dataset& dataset, Split split,
                                   const std::vector<int64_t>& ids, Batch* batch) {
  const absl::Status status = dataset.Read(split, ids, kStream, batch);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<std::string> examples;
  for (size_t i = 0; status.ok() && i < ids.size(); ++i) {
    examples.push_back(ExampleBytes(dataset.spec(), *batch, static_cast<int64_t>(i)));
  }
  return examples;
}

std::vector<std::string> ReadBytes(const Dataset& dataset, Split split,
                                   const std::vector<int64_t>& ids) {
  Batch batch;
  return ReadBytes(dataset, split, ids, &batch);
}

}  // namespace

std::string DatasetCaseName(const testing::TestParamInfo<DatasetCase>& info) {
  return info.param.dataset.name();
}

PluginRef DatasetRef(const std::string& name, const google::protobuf::Message& config) {
  PluginRef ref;
  ref.set_name(name);
  ref.mutable_config()->PackFrom(config);
  return ref;
}

absl::StatusOr<std::unique_ptr<Dataset>> MakeDataset(const std::string& name,
                                                     const google::protobuf::Message& config,
                                                     const Dataset::Context& context) {
  return Registry<Dataset>::Global().Create(DatasetRef(name, config), context);
}

void DatasetConformance::SetUp() {
  Dataset::Context context;
  context.seed = 1;
  auto dataset = Registry<Dataset>::Global().Create(GetParam().dataset, context);
  if (absl::IsNotFound(dataset.status())) GTEST_SKIP() << dataset.status().message();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  dataset_ = *std::move(dataset);
}

std::unique_ptr<Dataset> DatasetConformance::Make(uint64_t seed) const {
  Dataset::Context context;
  context.seed = seed;
  auto dataset = Registry<Dataset>::Global().Create(GetParam().dataset, context);
  EXPECT_TRUE(dataset.ok()) << dataset.status();
  return dataset.ok() ? *std::move(dataset) : nullptr;
}

TEST_P(DatasetConformance, HasExamplesToLearnFrom) { EXPECT_GT(dataset_->size(Split::kTrain), 0); }

TEST_P(DatasetConformance, ReadsWhatItsSpecSays) {
  const DataSpec& spec = dataset_->spec();
  for (Split split : kSplits) {
    Batch batch;
    for (int64_t size : {7, 0, 1}) {
      const std::vector<int64_t> ids = SomeIds(*dataset_, split, size);
      ASSERT_TRUE(dataset_->Read(split, ids, kStream, &batch).ok());
      EXPECT_EQ(batch.size, static_cast<int64_t>(ids.size()));
      ASSERT_EQ(batch.fields.size(), spec.fields.size());
      for (size_t f = 0; f < spec.fields.size(); ++f) {
        std::vector<int64_t> shape = {batch.size};
        shape.insert(shape.end(), spec.fields[f].shape.begin(), spec.fields[f].shape.end());
        // An open extent may be any.
        for (size_t axis = 1; axis < shape.size(); ++axis) {
          ASSERT_EQ(batch.fields[f].shape.size(), shape.size()) << spec.fields[f].name;
          if (shape[axis] < 0) shape[axis] = batch.fields[f].shape[axis];
        }
        EXPECT_EQ(batch.fields[f].shape, shape) << spec.fields[f].name;
        EXPECT_EQ(batch.fields[f].buffer().type, spec.fields[f].type) << spec.fields[f].name;
      }
    }
  }
}

TEST_P(DatasetConformance, ForgetsWhatABatchHeldBefore) {
  Batch batch;
  for (int i = 0; i < 5; ++i) ReserveField(&batch, i, 3, {2}, DType::kF64);
  ASSERT_TRUE(dataset_->Read(Split::kTrain, {0}, kStream, &batch).ok());
  EXPECT_EQ(batch.fields.size(), dataset_->spec().fields.size());
}

TEST_P(DatasetConformance, ReadingIsPureInAnyOrderAndBatch) {
  for (Split split : kSplits) {
    std::vector<int64_t> ids = SomeIds(*dataset_, split, 50);
    if (ids.empty()) continue;
    Batch reused;
    const std::vector<std::string> first = ReadBytes(*dataset_, split, ids, &reused);
    EXPECT_EQ(first, ReadBytes(*dataset_, split, ids));
    for (size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(ReadBytes(*dataset_, split, {ids[i]}, &reused)[0], first[i]) << "alone";
    }
    std::reverse(ids.begin(), ids.end());
    ids.push_back(ids[0]);  // and one of them twice
    std::vector<std::string> backward = ReadBytes(*dataset_, split, ids, &reused);
    EXPECT_EQ(backward.back(), backward.front());
    backward.pop_back();
    std::reverse(backward.begin(), backward.end());
    EXPECT_EQ(backward, first) << "backward";
  }
}

TEST_P(DatasetConformance, TwoThreadsMayReadAtOnce) {
  const std::vector<int64_t> ids = SomeIds(*dataset_, Split::kTrain, 200);
  const std::vector<int64_t> backward(ids.rbegin(), ids.rend());
  const std::vector<std::string> expected = ReadBytes(*dataset_, Split::kTrain, ids);
  std::vector<std::string> forward_read, backward_read;
  std::thread other([&] { forward_read = ReadBytes(*dataset_, Split::kTrain, ids); });
  backward_read = ReadBytes(*dataset_, Split::kTrain, backward);
  other.join();
  std::reverse(backward_read.begin(), backward_read.end());
  EXPECT_EQ(forward_read, expected);
  EXPECT_EQ(backward_read, expected);
}

TEST_P(DatasetConformance, LabelsAgreeWithWhatIsRead) {
  const DataSpec& spec = dataset_->spec();
  for (Split split : kSplits) {
    const auto labels = dataset_->labels(split);
    if (spec.classes == 0) {
      EXPECT_TRUE(labels.empty());
      continue;
    }
    ASSERT_EQ(static_cast<int64_t>(labels.size()), dataset_->size(split));
    for (int32_t label : labels) ASSERT_TRUE(label >= 0 && label < spec.classes) << label;

    const auto field =
        std::find_if(spec.fields.begin(), spec.fields.end(),
                     [](const FieldSpec& candidate) { return candidate.name == "label"; });
    ASSERT_NE(field, spec.fields.end()) << "a data set with classes has a field \"label\"";
    EXPECT_TRUE(field->shape.empty() && field->type == DType::kI64);
    const std::vector<int64_t> ids = SomeIds(*dataset_, split, 1000);
    Batch batch;
    ASSERT_TRUE(dataset_->Read(split, ids, kStream, &batch).ok());
    const auto read = batch.fields[field - spec.fields.begin()].buffer().as<int64_t>();
    for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(read[i], labels[ids[i]]) << ids[i];
  }
}

TEST_P(DatasetConformance, SplitsShareNoExample) {
  if (!GetParam().distinct_examples || dataset_->spec().fields.empty()) {
    GTEST_SKIP() << "examples of this data set are not distinct";
  }
  std::map<std::string, Split> seen;
  for (Split split : kSplits) {
    const std::vector<int64_t> ids = SomeIds(*dataset_, split, 1000);
    const std::vector<std::string> examples = ReadBytes(*dataset_, split, ids);
    for (size_t i = 0; i < examples.size(); ++i) {
      const auto [position, is_new] = seen.emplace(examples[i], split);
      EXPECT_TRUE(is_new || position->second == split)
          << "example " << ids[i] << " of split " << SplitName(split) << " is also in split "
          << SplitName(position->second);
    }
  }
}

TEST_P(DatasetConformance, FingerprintTellsEqualDataFromOther) {
  const auto same = Make(1), other = Make(2);
  ASSERT_TRUE(same != nullptr && other != nullptr);
  EXPECT_EQ(same->fingerprint(), dataset_->fingerprint());
  const std::vector<int64_t> ids = SomeIds(*dataset_, Split::kTrain, 20);
  const auto expected = ReadBytes(*dataset_, Split::kTrain, ids);
  EXPECT_EQ(ReadBytes(*same, Split::kTrain, ids), expected);
  // Files do not depend on the seed, generated data do; the fingerprint must say which it is.
  EXPECT_EQ(other->fingerprint() == dataset_->fingerprint(),
            ReadBytes(*other, Split::kTrain, ids) == expected);
}

TEST_P(DatasetConformance, RefusesIdsThatDoNotExist) {
  for (Split split : kSplits) {
    for (int64_t id : {dataset_->size(split), int64_t{-1}, INT64_MIN, INT64_MAX}) {
      std::vector<int64_t> ids = SomeIds(*dataset_, split, 3);
      ids.push_back(id);
      Batch batch;
      const absl::Status status = dataset_->Read(split, ids, kStream, &batch);
      EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr(std::to_string(id)), HasSubstr(std::string(SplitName(split)))));
    }
  }
}

TEST_P(DatasetConformance, CostsArePositive) {
  for (int64_t id : SomeIds(*dataset_, Split::kTrain, 100)) {
    EXPECT_GT(dataset_->cost(Split::kTrain, id), 0);
  }
}

}  // namespace starling
