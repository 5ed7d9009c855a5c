#include "data/dataset.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// Three training examples and nothing else.
class Three final : public Dataset {
 public:
  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return split == Split::kTrain ? 3 : 0; }
  uint64_t fingerprint() const override { return 3; }
  absl::Status Read(Split, absl::Span<const int64_t>, uint64_t, Batch*) const override {
    return absl::OkStatus();
  }
  absl::Span<const int32_t> labels(Split) const override { return {}; }

 private:
  DataSpec spec_;
};

TEST(CheckExamplesTest, NamesTheFirstWrongIdAndTheSplit) {
  const Three three;
  EXPECT_TRUE(CheckExamples(three, Split::kTrain, {0, 2, 2}).ok());
  EXPECT_TRUE(CheckExamples(three, Split::kTest, {}).ok());
  EXPECT_EQ(
      CheckExamples(three, Split::kTrain, {0, 3, -1}),
      absl::OutOfRangeError("example 3 of split \"train\" does not exist; its ids are 0 to 2"));
  EXPECT_EQ(CheckExamples(three, Split::kTest, {-1}),
            absl::OutOfRangeError("example -1 of split \"test\" does not exist; the split is "
                                  "empty"));
}

TEST(ReserveFieldTest, KeepsTheMemoryOfALargerBatch) {
  Batch batch;
  const Buffer large = ReserveField(&batch, 0, 4, {2, 3}, DType::kF32);
  EXPECT_EQ(large.count, 24);
  const Buffer small = ReserveField(&batch, 0, 1, {2, 3}, DType::kF32);
  EXPECT_EQ(small.count, 6);
  EXPECT_EQ(small.data, large.data);
  EXPECT_EQ(batch.fields[0].shape, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(batch.fields[0].buffer().count, 6);
}

TEST(ReserveFieldTest, TakesNewMemoryForAnotherType) {
  Batch batch;
  ReserveField(&batch, 0, 4, {}, DType::kF32);
  EXPECT_EQ(ReserveField(&batch, 0, 2, {}, DType::kI64).as<int64_t>().size(), 2u);
  EXPECT_EQ(ReserveField(&batch, 0, 0, {5}, DType::kI64).count, 0);
}

TEST(ReserveFieldTest, TakesMemoryFromWhereTheBatchSays) {
  static int64_t allocated = 0;
  Batch batch;
  batch.allocate = [](int64_t count, DType type) {
    allocated += count;
    return Arena(count, type);
  };
  ReserveField(&batch, 0, 4, {2, 3}, DType::kF32);
  ReserveField(&batch, 1, 4, {}, DType::kI64);
  ReserveField(&batch, 0, 2, {2, 3}, DType::kF32);
  EXPECT_EQ(allocated, 28);
}

TEST(DatasetTest, ExamplesCostTheSameUnlessADataSetSaysOtherwise) {
  EXPECT_EQ(Three().cost(Split::kTrain, 1), 1);
}

}  // namespace
}  // namespace starling
