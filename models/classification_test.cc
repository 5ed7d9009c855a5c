#include "models/classification.h"

#include "core/buffer.h"
#include "data/dataset.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(ClassificationTest, ReturnsShapeAndClasses) {
  DataSpec data;
  data.fields = {{"image", {3, 8, 4}, DType::kF32}, {"label", {}, DType::kI64}};
  data.classes = 7;
  const auto spec = ClassificationOf("mlp", data);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->shape, (std::vector<int64_t>{3, 8, 4}));
  EXPECT_EQ(spec->size, 96);
  EXPECT_EQ(spec->classes, 7);
}

TEST(ClassificationTest, SaysWhatIsNeededAndWhatIsGiven) {
  DataSpec data;
  EXPECT_EQ(ClassificationOf("mlp", data).status(),
            absl::InvalidArgumentError(
                "model \"mlp\" needs examples of numbers with one integer label each, of at least "
                "2 classes; data set gives no fields and 0 classes"));
  data.fields = {{"tokens", {16}, DType::kI64}, {"next", {16}, DType::kI64}};
  data.classes = 50;
  EXPECT_EQ(ClassificationOf("convnet", data).status().message(),
            "model \"convnet\" needs examples of numbers with one integer label each, of at least "
            "2 classes; data set gives tokens [16] I64, next [16] I64 and 50 classes");
}

TEST(ClassificationTest, ShapesThatDifferMustBeAskedFor) {
  DataSpec data;
  data.fields = {{"image", {3, -1, -1}, DType::kF32}, {"label", {}, DType::kI64}};
  data.classes = 7;
  EXPECT_EQ(ClassificationOf("mlp", data).status(),
            absl::InvalidArgumentError(
                "model \"mlp\" needs examples of one shape; those of the data set are [3, -1, -1], "
                "where -1 differs from batch to batch"));
  const auto spec = ClassificationOf("resnet", data, /*any_extents=*/true);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->shape, (std::vector<int64_t>{3, -1, -1}));
}

}  // namespace
}  // namespace starling
