#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/state.h"
#include "core/status.h"
#include "data/dataset.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

std::vector<ModelCase> Cases() {
  return {
      {"Basic", "resnet", "stem: CIFAR width: 3 blocks: [1, 2]", LabelledSpec({3, 8, 6}, 4), true},
      {"Bottleneck", "resnet", "depth: 50 stem: CIFAR width: 2 blocks: [2, 1]",
       LabelledSpec({1, 7, 7}, 3), true},
      {"ImagenetStem", "resnet", "width: 4 blocks: [1, 1] label_smoothing: 0.1",
       LabelledSpec({3, 21, 21}, 5), true},
      {"ChannelsLast", "resnet", "stem: CIFAR width: 3 blocks: [1, 1] channels_last: true",
       LabelledSpec({3, 8, 6}, 4), true},
  };
}

INSTANTIATE_TEST_SUITE_P(Resnet, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

std::unique_ptr<Model> Make(const DataSpec& data, const std::string& config) {
  Model::Context context;
  context.data = &data;
  auto model = CreateModel("resnet", config, context);
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

using Shapes = std::map<std::string, std::vector<int64_t>>;

void AddNorm(const std::string& name, int64_t channels, Shapes* shapes) {
  (*shapes)[name + ".weight"] = (*shapes)[name + ".bias"] = {channels};
}

// The parameters of torchvision's resnet18, resnet34 and resnet50 for 1000 classes.
Shapes TorchvisionShapes(const std::vector<int>& blocks, bool bottleneck) {
  Shapes shapes = {{"conv1.weight", {64, 3, 7, 7}}};
  AddNorm("bn1", 64, &shapes);
  int64_t in = 64;
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t planes = int64_t{64} << stage, out = bottleneck ? 4 * planes : planes;
    for (int block = 0; block < blocks[stage]; ++block) {
      const std::string name = absl::StrCat("layer", stage + 1, ".", block, ".");
      if (bottleneck) {
        shapes[name + "conv1.weight"] = {planes, in, 1, 1};
        shapes[name + "conv2.weight"] = {planes, planes, 3, 3};
        shapes[name + "conv3.weight"] = {out, planes, 1, 1};
        AddNorm(name + "bn3", out, &shapes);
      } else {
        shapes[name + "conv1.weight"] = {planes, in, 3, 3};
        shapes[name + "conv2.weight"] = {planes, planes, 3, 3};
      }
      AddNorm(name + "bn1", planes, &shapes);
      AddNorm(name + "bn2", planes, &shapes);
      if (block == 0 && (bottleneck || stage > 0)) {
        shapes[name + "downsample.0.weight"] = {out, in, 1, 1};
        AddNorm(name + "downsample.1", out, &shapes);
      }
      in = out;
    }
  }
  shapes["fc.weight"] = {1000, in};
  shapes["fc.bias"] = {1000};
  return shapes;
}

// The names of all state.
class Names final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    names[std::string(name)] = {state.count};
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

  Shapes names;
};

// Files of PyTorch's models load into these and the other way round. The counts are those that
// torchvision's documentation gives.
TEST(ResnetTest, TensorsAreTorchvisions) {
  const DataSpec data = LabelledSpec({3, 32, 32}, 1000);
  const struct {
    int depth;
    std::vector<int> blocks;
    int64_t parameters;
  } known[] = {
      {18, {2, 2, 2, 2}, 11689512}, {34, {3, 4, 6, 3}, 21797672}, {50, {3, 4, 6, 3}, 25557032}};
  for (const auto& net : known) {
    SCOPED_TRACE(net.depth);
    const auto model = Make(data, absl::StrCat("depth: ", net.depth));
    EXPECT_EQ(model->layout().parameters(), net.parameters);
    Shapes shapes, statistics;
    for (const TensorInfo& tensor : model->layout().tensors) {
      shapes[tensor.name] = tensor.shape;
      EXPECT_EQ(tensor.decay, tensor.shape.size() > 1) << tensor.name;
      const size_t norm = tensor.name.rfind(".weight");
      if (tensor.shape.size() > 1 || norm == std::string::npos) continue;
      const std::string name = tensor.name.substr(0, norm);
      statistics[name + ".running_mean"] = statistics[name + ".running_var"] = tensor.shape;
      statistics[name + ".num_batches_tracked"] = {1};
    }
    EXPECT_EQ(shapes, TorchvisionShapes(net.blocks, net.depth == 50));
    Names state;
    CHECK_OK(model->VisitState(&state));
    EXPECT_EQ(state.names, statistics);
  }
}

TEST(ResnetTest, WidthAndBlocksMakeItSmall) {
  const auto model = Make(LabelledSpec({1, 28, 28}, 10), "stem: CIFAR width: 8 blocks: [1, 1, 1]");
  const int64_t stem = 9 * 8 + 16, stage1 = 2 * 9 * 8 * 8 + 2 * 16;
  const int64_t stage2 = 9 * 8 * 16 + 9 * 16 * 16 + 8 * 16 + 3 * 32;
  const int64_t stage3 = 9 * 16 * 32 + 9 * 32 * 32 + 16 * 32 + 3 * 64;
  EXPECT_EQ(model->layout().parameters(), stem + stage1 + stage2 + stage3 + 10 * 32 + 10);
}

// The mean square of a tensor's starting values.
double MeanSquare(const Layout& layout, const Buffer& x, absl::string_view name) {
  for (const TensorInfo& tensor : layout.tensors) {
    if (tensor.name != name) continue;
    double sum = 0;
    for (int64_t i = 0; i < tensor.count; ++i) {
      sum += std::pow(GetElement(x, tensor.offset + i), 2) / static_cast<double>(tensor.count);
    }
    return sum;
  }
  LOG(FATAL) << "no tensor " << name;
}

TEST(ResnetTest, StartsAsTorchvisionDoes) {
  const auto model =
      Make(LabelledSpec({3, 8, 8}, 10), "depth: 50 stem: CIFAR width: 32 blocks: [1, 1]");
  const Layout& layout = model->layout();
  const Arenas arenas(layout, DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  const auto mean_square = [&](absl::string_view name) {
    return MeanSquare(layout, arenas.x(), name);
  };
  // 2 / fan_out, within four standard deviations of such a mean square.
  EXPECT_NEAR(mean_square("layer1.0.conv2.weight") * 9 * 32 / 2, 1, 0.06);
  EXPECT_NEAR(mean_square("layer2.0.conv3.weight") * 256 / 2, 1, 0.05);
  EXPECT_NEAR(mean_square("layer2.0.downsample.0.weight") * 256 / 2, 1, 0.04);
  EXPECT_EQ(mean_square("layer1.0.bn3.weight"), 1);
  EXPECT_EQ(mean_square("layer1.0.bn3.bias"), 0);
  EXPECT_NEAR(mean_square("fc.weight") * 3 * 256, 1, 0.1);  // U(-1/16, 1/16)
}

TEST(ResnetTest, BlocksMayStartAsTheIdentity) {
  const DataSpec data = LabelledSpec({3, 8, 8}, 10);
  for (const auto& [depth, last] : {std::pair(18, "bn2"), std::pair(50, "bn3")}) {
    const auto model = Make(
        data, absl::StrCat("depth: ", depth, " width: 4 blocks: [1, 1] zero_init_residual: true"));
    const Layout& layout = model->layout();
    const Arenas arenas(layout, DType::kF32);
    CHECK_OK(model->Initialize(1, arenas.x()));
    for (const TensorInfo& tensor : layout.tensors) {
      if (tensor.shape.size() != 1 || !absl::EndsWith(tensor.name, ".weight")) continue;
      EXPECT_EQ(MeanSquare(layout, arenas.x(), tensor.name),
                absl::EndsWith(tensor.name, absl::StrCat(".", last, ".weight")) ? 0 : 1)
          << tensor.name;
    }
  }
}

// The loss is linear in the smoothing.
TEST(ResnetTest, SmoothsLabelsInTraining) {
  const DataSpec data = LabelledSpec({3, 8, 8}, 10);
  const Batch batch = MadeUpBatch(data, 4, 3);
  std::vector<double> losses, evaluated;
  for (const char* smoothing : {"0", "0.1", "0.2"}) {
    const auto model =
        Make(data, absl::StrCat("stem: CIFAR width: 4 blocks: [1] label_smoothing: ", smoothing));
    const Arenas arenas(model->layout(), DType::kF32);
    CHECK_OK(model->Initialize(1, arenas.x()));
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    MetricSums sums;
    CHECK_OK(model->Evaluate(batch, &sums));
    evaluated.push_back(sums.loss);
    losses.push_back(Pass(model.get(), batch));
  }
  EXPECT_GT(std::abs(losses[1] - losses[0]), 1e-4);
  EXPECT_NEAR(losses[2] - losses[0], 2 * (losses[1] - losses[0]), 1e-6);
  EXPECT_EQ(evaluated, std::vector<double>(3, evaluated[0]));
}

TEST(ResnetTest, ChannelsLastDiffersByRounding) {
  const DataSpec data = LabelledSpec({3, 16, 16}, 10);
  const Batch batch = MadeUpBatch(data, 4, 3);
  double losses[2];
  std::vector<Arenas> arenas;
  for (const bool last : {false, true}) {
    const auto model =
        Make(data, absl::StrCat("width: 8 blocks: [1, 1] depth: 50 channels_last: ", last));
    arenas.emplace_back(model->layout(), DType::kF32);
    CHECK_OK(model->Initialize(1, arenas.back().x()));
    CHECK_OK(model->Bind(arenas.back().x(), arenas.back().g()));
    losses[last] = Pass(model.get(), batch);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5);
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < arenas[0].g().count; ++i) {
    const double g = GetElement(arenas[0].g(), i);
    difference += std::pow(GetElement(arenas[1].g(), i) - g, 2);
    norm += g * g;
  }
  EXPECT_LE(std::sqrt(difference), 1e-4 * std::sqrt(norm));
}

TEST(ResnetTest, TakesImagesOfAnySize) {
  const DataSpec data = LabelledSpec({3, -1, -1}, 10);
  const auto model = Make(data, "width: 4 blocks: [1, 1]");
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  Pass(model.get(), MadeUpBatch(LabelledSpec({3, 17, 23}, 10), 2, 1));
  MetricSums sums;
  EXPECT_TRUE(model->Evaluate(MadeUpBatch(LabelledSpec({3, 40, 32}, 10), 2, 1), &sums).ok());
}

TEST(ResnetTest, SaysWhatIsWrong) {
  Model::Context context;
  DataSpec data = LabelledSpec({3, 32, 32}, 10);
  context.data = &data;
  EXPECT_EQ(CreateModel("resnet", "depth: 101", context).status(),
            absl::InvalidArgumentError("model \"resnet\": depth is 101; it must be 18, 34 or 50"));
  data = LabelledSpec({28, 28}, 10);
  EXPECT_EQ(CreateModel("resnet", "", context).status(),
            absl::InvalidArgumentError(
                "model \"resnet\" needs images [C, H, W]; data set gives [28, 28]"));
}

}  // namespace
}  // namespace starling
