#include "core/layout.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

TensorInfo Tensor(std::vector<int64_t> shape) {
  TensorInfo tensor;
  tensor.shape = std::move(shape);
  return tensor;
}

// 1, 32, 33 and 320 elements: 32, 32, 64 and 320 with their padding.
std::vector<TensorInfo> Tensors() {
  return {Tensor({}), Tensor({32}), Tensor({3, 11}), Tensor({10, 4, 8})};
}

TEST(LayoutTest, PadsEveryTensor) {
  const Layout layout = MakeLayout(Tensors(), 1 << 20, 4);
  EXPECT_EQ(layout.size, 448);
  EXPECT_EQ(layout.parameters(), 386);
  const std::vector<int64_t> offsets = {0, 32, 64, 128}, counts = {1, 32, 33, 320};
  for (size_t i = 0; i < offsets.size(); ++i) {
    EXPECT_EQ(layout.tensors[i].offset, offsets[i]);
    EXPECT_EQ(layout.tensors[i].count, counts[i]);
  }
}

// Returns the sizes of the buckets, having checked that they cover the arena and cut no tensor.
std::vector<int64_t> BucketSizes(int64_t bucket_bytes, int64_t element_bytes) {
  const Layout layout = MakeLayout(Tensors(), bucket_bytes, element_bytes);
  std::vector<int64_t> sizes;
  int64_t end = 0;
  for (const Range& bucket : layout.buckets) {
    EXPECT_EQ(bucket.offset, end);
    end += bucket.count;
    sizes.push_back(bucket.count);
    for (const TensorInfo& tensor : layout.tensors) {
      const bool before = tensor.offset + tensor.count <= bucket.offset;
      const bool after = tensor.offset >= end;
      const bool inside = tensor.offset >= bucket.offset && tensor.offset + tensor.count <= end;
      EXPECT_TRUE(before || after || inside);
    }
  }
  EXPECT_EQ(end, layout.size);
  return sizes;
}

TEST(LayoutTest, BucketsCloseAsSoonAsTheyAreFull) {
  using Sizes = std::vector<int64_t>;
  EXPECT_EQ(BucketSizes(1, 4), (Sizes{32, 32, 64, 320}));  // one tensor each
  EXPECT_EQ(BucketSizes(int64_t{1} << 40, 4), (Sizes{448}));
  EXPECT_EQ(BucketSizes(256, 4), (Sizes{64, 64, 320}));  // exactly two tensors, then one
  EXPECT_EQ(BucketSizes(257, 4), (Sizes{128, 320}));
  EXPECT_EQ(BucketSizes(512, 4), (Sizes{128, 320}));  // exactly three, the last smaller
  EXPECT_EQ(BucketSizes(513, 4), (Sizes{448}));
  EXPECT_EQ(BucketSizes(256, 8), (Sizes{32, 32, 64, 320}));
}

TEST(LayoutTest, NoParameterMovesWithTheBucketSize) {
  const Layout fine = MakeLayout(Tensors(), 1, 4), coarse = MakeLayout(Tensors(), 1 << 30, 4);
  for (size_t i = 0; i < fine.tensors.size(); ++i) {
    EXPECT_EQ(fine.tensors[i].offset, coarse.tensors[i].offset);
  }
}

TEST(LayoutTest, NoTensorsMakeNoBuckets) {
  const Layout layout = MakeLayout({}, 1, 4);
  EXPECT_EQ(layout.size, 0);
  EXPECT_TRUE(layout.buckets.empty());
}

TEST(LayoutTest, BiasesAndNormsAreSparedFromDecay) {
  EXPECT_FALSE(DecaysByDefault({}));
  EXPECT_FALSE(DecaysByDefault({64}));
  EXPECT_TRUE(DecaysByDefault({64, 3}));
  EXPECT_TRUE(DecaysByDefault({64, 3, 5, 5}));
}

}  // namespace
}  // namespace starling
