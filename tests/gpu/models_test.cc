// Models that LibTorch computes, on the device: what they compute on the host, within rounding.
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/model_testutil.h"
#include "models/torch/dropout.h"
#include "models/torch/torch_device.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

// Before NVIDIA's libraries look: convolutions round to TF32, of 11 bits, unless told not to.
[[maybe_unused]] const bool full_precision = setenv("NVIDIA_TF32_OVERRIDE", "0", 1) == 0;

// Sums of thousands of F32 terms in another order.
constexpr double kRounding = 1e-4;

struct Case {
  std::string name, plugin, config;
  DataSpec data;
};

std::vector<Case> Cases() {
  return {
      {"Mlp", "mlp", "", LabelledSpec({30}, 10)},
      {"Convnet", "convnet", "", LabelledSpec({1, 28, 28}, 10)},
      {"Resnet", "resnet", "width: 16 blocks: [1, 1] stem: CIFAR", LabelledSpec({3, 32, 32}, 10)},
      {"ResnetChannelsLast", "resnet", "width: 16 blocks: [1, 1] stem: CIFAR channels_last: true",
       LabelledSpec({3, 32, 32}, 10)},
      {"Lstm", "lstm", "layers: 2 embedding: 24 hidden: 32 dropout: 0.2", TextSpec(16, 50)},
      {"Gpt2", "gpt2", "layers: 2 width: 32 heads: 4 dropout: 0.1", TextSpec(16, 50)},
      {"Transformer", "transformer",
       "d_model: 32 heads: 4 ff: 64 encoder_layers: 2 decoder_layers: 2 dropout: 0.1",
       TranslationSpec(50)},
  };
}

std::vector<double> NumbersOf(Buffer values) {
  const Arena host(values.count, values.type);
  ops::Copy(values, host.buffer());
  CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
  std::vector<double> numbers;
  for (int64_t i = 0; i < values.count; ++i) numbers.push_back(GetElement(host.buffer(), i));
  return numbers;
}

// |a - b| / |b|.
double RelativeDifference(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

class Statistics final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    if (state.type == DType::kF32) values[std::string(name)] = NumbersOf(state);
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

  std::map<std::string, std::vector<double>> values;
};

// A model with its arenas and what a pass gave.
struct Side {
  Side(const Case& test, Model::Context context) {
    context.data = &test.data;
    context.bucket_bytes = 1;  // a bucket per tensor
    auto made = CreateModel(test.plugin, test.config, context);
    CHECK_OK(made);
    model = *std::move(made);
    for (Arena* arena : {&x, &g}) {
      auto memory = MakeArena(model->layout().size, DType::kF32, context.place);
      CHECK_OK(memory);
      *arena = *std::move(memory);
    }
    CHECK_OK(model->Initialize(1, x.buffer()));
    CHECK_OK(model->Bind(x.buffer(), g.buffer()));
  }

  // Buckets must come in order, on this thread.
  double Pass(const Batch& batch) {
    int next = 0;
    const auto result = model->ForwardBackward(batch, /*stream=*/7, [&](int bucket) {
      EXPECT_EQ(bucket, next++);
      EXPECT_EQ(std::this_thread::get_id(), self);
      return absl::OkStatus();
    });
    CHECK_OK(result);
    EXPECT_EQ(next, static_cast<int>(model->layout().buckets.size()));
    return LossOf(*result);
  }

  const std::thread::id self = std::this_thread::get_id();
  std::unique_ptr<Model> model;
  Arena x, g;
};

// The tensors in `arena`, one of `side`, as `layout` orders them: where and in which type a pass
// computes changes the order in which autograd completes its gradients.
std::vector<double> InOrderOf(const Layout& layout, const Side& side, const Arena& arena) {
  std::vector<double> all;
  for (const TensorInfo& tensor : layout.tensors) {
    const auto own = NumbersOf(TensorIn(arena.buffer(), side.model->layout(), tensor.name));
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

Batch OnDevice(const Batch& batch) {
  Batch copy;
  copy.size = batch.size;
  for (const BatchField& field : batch.fields) {
    const Buffer from = field.buffer();
    auto memory = MakeArena(from.count, from.type, Place::kDevice);
    CHECK_OK(memory);
    ops::Copy(from, memory->buffer());
    copy.fields.push_back({field.shape, *std::move(memory)});
  }
  return copy;
}

// Without a card, too: the cases are right.
using HostModelTest = testing::TestWithParam<Case>;

TEST_P(HostModelTest, Trains) {
  Side host(GetParam(), {});
  EXPECT_GT(host.Pass(MadeUpBatch(GetParam().data, 8, 1)), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, HostModelTest, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

class DeviceModelTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_DEVICE();
    if (LinkedTorchDevice() == nullptr) GTEST_SKIP() << "this LibTorch has no CUDA";
    auto queue = OwnedQueue::New();
    CHECK_OK(queue);
    queue_ = *std::move(queue);
    scope_.emplace(queue_.get());
    context_.place = Place::kDevice;
  }

  OwnedQueue queue_;
  std::optional<QueueScope> scope_;
  Model::Context context_;
};

TEST_P(DeviceModelTest, ComputesWhatTheHostDoes) {
  Side host(GetParam(), {}), device(GetParam(), context_);
  const Layout& layout = host.model->layout();
  EXPECT_EQ(InOrderOf(layout, device, device.x), InOrderOf(layout, host, host.x));
  const Batch batch = MadeUpBatch(GetParam().data, 8, 1);
  const double loss = host.Pass(batch);
  EXPECT_NEAR(device.Pass(batch), loss, kRounding * std::abs(loss));
  EXPECT_LE(
      RelativeDifference(InOrderOf(layout, device, device.g), InOrderOf(layout, host, host.g)),
      kRounding);

  Statistics host_state, device_state;
  CHECK_OK(host.model->VisitState(&host_state));
  CHECK_OK(device.model->VisitState(&device_state));
  ASSERT_EQ(host_state.values.size(), device_state.values.size());
  for (const auto& [name, values] : host_state.values) {
    EXPECT_LE(RelativeDifference(device_state.values[name], values), kRounding) << name;
  }

  MetricSums host_sums, device_sums;
  CHECK_OK(host.model->Evaluate(batch, &host_sums));
  CHECK_OK(device.model->Evaluate(batch, &device_sums));
  EXPECT_NEAR(device_sums.loss, host_sums.loss, kRounding * host_sums.loss);
  EXPECT_EQ(device_sums.targets, host_sums.targets);
}

TEST_P(DeviceModelTest, GivesTheSameBitsAgainAndFromBatchesOnTheDevice) {
  Side first(GetParam(), context_), second(GetParam(), context_);
  const Batch batch = MadeUpBatch(GetParam().data, 8, 1);
  const double loss = first.Pass(batch);
  EXPECT_EQ(second.Pass(OnDevice(batch)), loss);
  EXPECT_EQ(NumbersOf(second.g.buffer()), NumbersOf(first.g.buffer()));
}

TEST_P(DeviceModelTest, MixedPrecisionIsNearSingle) {
  Side single(GetParam(), context_);
  const Batch batch = MadeUpBatch(GetParam().data, 8, 1);
  const double loss = single.Pass(batch);
  const Layout& layout = single.model->layout();
  const std::vector<double> gradient = InOrderOf(layout, single, single.g);
  for (const auto& [type, scale] : {std::pair(DType::kBF16, 1.0), std::pair(DType::kF16, 1024.0)}) {
    if (type == DType::kF16 && !LinkedTorchDevice()->device().is_cuda()) continue;
    context_.autocast = type;
    Side mixed(GetParam(), context_);
    mixed.model->set_loss_scale(scale);
    EXPECT_NEAR(mixed.Pass(batch), loss, 0.03 * std::abs(loss)) << DTypeName(type);
    ops::Scale(1 / scale, mixed.g.buffer());
    EXPECT_LE(RelativeDifference(InOrderOf(layout, mixed, mixed.g), gradient), 0.1)
        << DTypeName(type);
  }
}

TEST_P(DeviceModelTest, TranslatesAsTheHostDoes) {
  if (GetParam().plugin != "transformer") GTEST_SKIP() << "does not translate";
  Side host(GetParam(), {}), device(GetParam(), context_);
  const Batch batch = MadeUpBatch(GetParam().data, 3, 1);
  const auto expected = host.model->Translate(batch), got = device.model->Translate(batch);
  CHECK_OK(expected);
  CHECK_OK(got);
  EXPECT_EQ(*got, *expected);
}

INSTANTIATE_TEST_SUITE_P(Models, DeviceModelTest, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

using DeviceDropoutTest = DeviceModelTest;

TEST_P(DeviceDropoutTest, DropsWhatTheHostDrops) {
  const auto scope = LinkedTorchDevice()->Enter();
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    const torch::Tensor x = torch::rand({7, 33, 129}, type) + 1;
    const torch::Tensor y = Dropout(x.to(LinkedTorchDevice()->device()), 0.3, 11, 2, true);
    EXPECT_TRUE(y.cpu().equal(Dropout(x, 0.3, 11, 2, true)));
  }
}

INSTANTIATE_TEST_SUITE_P(Dropout, DeviceDropoutTest, testing::Values(Case{}));

}  // namespace
}  // namespace starling
