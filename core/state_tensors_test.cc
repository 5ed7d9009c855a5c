#include "core/state_tensors.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

Layout LayoutOf(const std::vector<TensorInfo>& tensors, int64_t bucket_bytes) {
  return MakeLayout(tensors, bucket_bytes, sizeof(float));
}

std::vector<TensorInfo> Tensors() {
  TensorInfo weight, bias;
  weight.name = "fc.weight";
  weight.shape = {2, 3};
  bias.name = "fc.bias";
  bias.shape = {40};
  return {weight, bias};
}

// One of everything that a plug-in may hold.
struct State {
  explicit State(const Layout& layout) : moment(layout.size, DType::kF32) {}
  absl::Status VisitState(StateVisitor* visitor) {
    RETURN_IF_ERROR(visitor->Visit("moment", moment.buffer()));
    RETURN_IF_ERROR(visitor->Visit("step", AsBuffer(absl::MakeSpan(&step, 1))));
    RETURN_IF_ERROR(visitor->VisitTensor("mean", {1, 2, 1}, AsBuffer(absl::MakeSpan(mean))));
    RETURN_IF_ERROR(visitor->VisitBytes("rounds", &rounds));
    return VisitVector("losses", &losses, visitor);
  }
  Arena moment;
  int64_t step = 0;
  std::vector<double> mean = {0, 0};
  std::string rounds;
  std::vector<double> losses;
};

TEST(StateTensorsTest, ComesBackWithOtherBuckets) {
  const Layout layout = LayoutOf(Tensors(), 1), other = LayoutOf(Tensors(), 1 << 20);
  ASSERT_NE(layout.buckets.size(), other.buckets.size());
  State saved(layout), loaded(other);
  for (const TensorInfo& tensor : layout.tensors) {
    const Buffer values = saved.moment.buffer().Slice(tensor.offset, tensor.count);
    for (float& value : values.as<float>())
      value = static_cast<float>(&value - values.as<float>().data());
  }
  saved.step = 7;
  saved.mean = {1.5, -1};
  saved.rounds = "3 4";
  saved.losses = {1, 2, 3};
  TensorSaver saver(&layout);
  ASSERT_EQ(saved.VisitState(&saver), absl::OkStatus());
  EXPECT_EQ(saver.tensors().at("moment/fc.weight").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(saver.tensors().at("mean").shape, (std::vector<int64_t>{1, 2, 1}));
  EXPECT_EQ(saver.tensors().at("step").shape, (std::vector<int64_t>{1}));
  // Copied where the state may move.
  saved.step = 8;
  saved.rounds = "elsewhere";

  TensorLoader loader(&other, &saver.tensors());
  ASSERT_EQ(loaded.VisitState(&loader), absl::OkStatus());
  EXPECT_EQ(loader.CheckAllUsed(), absl::OkStatus());
  EXPECT_EQ(loaded.step, 7);
  EXPECT_THAT(loaded.mean, ElementsAre(1.5, -1));
  EXPECT_EQ(loaded.rounds, "3 4");
  EXPECT_THAT(loaded.losses, ElementsAre(1, 2, 3));
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    const auto& tensor = other.tensors[i];
    const auto values = loaded.moment.buffer().Slice(tensor.offset, tensor.count).as<float>();
    for (int64_t k = 0; k < tensor.count; ++k) EXPECT_EQ(values[k], static_cast<float>(k));
  }
}

TEST(StateTensorsTest, SaysWhatDoesNotFit) {
  const Layout layout = LayoutOf(Tensors(), 1);
  State state(layout);
  TensorSaver saver(&layout);
  ASSERT_EQ(state.VisitState(&saver), absl::OkStatus());
  const auto problem = [&](const TensorMap& tensors) {
    TensorLoader loader(&layout, &tensors);
    absl::Status status = state.VisitState(&loader);
    if (status.ok()) status = loader.CheckAllUsed();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return std::string(status.message());
  };
  TensorMap tensors = saver.tensors();
  tensors.erase("moment/fc.bias");
  EXPECT_EQ(problem(tensors), "there is no tensor \"moment/fc.bias\"");
  tensors = saver.tensors();
  tensors["moment/fc.weight"].shape = {3, 2};
  EXPECT_EQ(problem(tensors), "tensor \"moment/fc.weight\" is F32 [3, 2], not F32 [2, 3]");
  tensors = saver.tensors();
  tensors["step"].values.type = DType::kF64;
  EXPECT_EQ(problem(tensors), "tensor \"step\" is F64 [1], not I64 [1]");
  tensors = saver.tensors();
  tensors["more"] = tensors["step"];
  EXPECT_EQ(problem(tensors), "nothing asks for tensor \"more\"");
  tensors = saver.tensors();
  tensors["losses"] = {{3}, Buffer{state.mean.data(), 3, DType::kByte}};
  EXPECT_EQ(problem(tensors), "state losses has 3 bytes, no multiple of 8");
}

}  // namespace
}  // namespace starling
