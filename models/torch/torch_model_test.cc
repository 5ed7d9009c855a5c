#include "models/torch/torch_model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/buffer.h"
#include "core/state.h"
#include "core/status.h"
#include "glog/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/model_testutil.h"
#include "models/versions.h"
#include "torch/nn/modules/batchnorm.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

// fc1, norm, ReLU, fc2, with a mistake on demand.
struct Net : torch::nn::Module {
  Net() {
    register_module("fc1", fc1);
    register_module("norm", norm);
    register_module("fc2", fc2);
  }
  torch::Tensor forward(torch::Tensor x) {
    modes.push_back(is_training());
    return fc2(torch::relu(norm(fc1(x))));
  }
  torch::nn::Linear fc1{4, 6}, fc2{6, 3};
  torch::nn::BatchNorm1d norm{6};
  std::vector<bool> modes;
};

class TorchModelTest : public testing::Test {
 protected:
  TorchModelTest() : data_(LabelledSpec({4}, 3)), batch_(MadeUpBatch(data_, 5, 1)) {
    context_.data = &data_;
  }

  absl::StatusOr<std::unique_ptr<Model>> Make(const std::function<TorchNet()>& build) const {
    return MakeTorchModel("test", context_, build);
  }

  absl::Status ErrorOf(const std::function<TorchNet()>& build) const {
    return Make(build).status();
  }

  DataSpec data_;
  Batch batch_;
  Model::Context context_;
};

// Writes all state down as text.
class Printer final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    text += absl::StrCat(name, " ", DTypeName(state.type), ":");
    for (int64_t i = 0; i < state.count; ++i) {
      absl::StrAppend(&text, " ",
                      state.type == DType::kI64 ? static_cast<double>(state.as<int64_t>()[i])
                                                : GetElement(state, i));
    }
    text += "\n";
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

  std::string text;
};

std::string StateOf(Model* model) {
  Printer printer;
  CHECK_OK(model->VisitState(&printer));
  return printer.text;
}

TEST_F(TorchModelTest, DryPassChangesNoState) {
  const auto model = Make([] { return Classifier(std::make_shared<Net>()); }).value();
  EXPECT_EQ(StateOf(model.get()),
            "norm.running_mean F32: 0 0 0 0 0 0\n"
            "norm.running_var F32: 1 1 1 1 1 1\n"
            "norm.num_batches_tracked I64: 0\n");
}

TEST_F(TorchModelTest, TrainingUpdatesBatchNormAndEvaluationUsesIt) {
  const auto net = std::make_shared<Net>();
  const auto model = Make([&] { return Classifier(net); }).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  net->modes.clear();
  Pass(model.get(), batch_);
  const std::string trained = StateOf(model.get());
  EXPECT_THAT(trained, HasSubstr("num_batches_tracked I64: 1\n"));
  MetricSums sums;
  CHECK_OK(model->Evaluate(batch_, &sums));
  EXPECT_EQ(StateOf(model.get()), trained);
  Pass(model.get(), batch_);
  EXPECT_EQ(net->modes, (std::vector<bool>{true, false, true}));
}

TEST_F(TorchModelTest, NormsStartAsIdentityAndAreNotDecayed) {
  const auto model = Make([] { return Classifier(std::make_shared<Net>()); }).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  int norms = 0;
  for (const TensorInfo& tensor : model->layout().tensors) {
    if (tensor.name.substr(0, 5) != "norm.") continue;
    ++norms;
    EXPECT_FALSE(tensor.decay);
    for (int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      EXPECT_EQ(GetElement(arenas.x(), i), tensor.name == "norm.weight" ? 1 : 0);
    }
  }
  EXPECT_EQ(norms, 2);
}

TEST_F(TorchModelTest, CountsCorrectExamples) {
  const auto model = Make([] { return Classifier(std::make_shared<Net>()); }).value();
  const Arenas arenas(model->layout(), DType::kF32);
  // All weights are zero: the class with the largest bias wins.
  for (const TensorInfo& tensor : model->layout().tensors) {
    if (tensor.name == "fc2.bias") SetElement(arenas.x(), tensor.offset + 1, 1);
  }
  CHECK_OK(model->Bind(arenas.x(), Buffer()));
  MetricSums sums;
  CHECK_OK(model->Evaluate(batch_, &sums));
  const auto labels = batch_.fields[1].buffer().as<int64_t>();
  EXPECT_EQ(sums.correct, static_cast<double>(std::count(labels.begin(), labels.end(), 1)));
}

TEST(CrossEntropyTest, SmoothsTheTargetInTrainingOnly) {
  const auto logits = torch::tensor({{1.0, -2.0, 0.5}, {0.0, 3.0, -1.0}}, torch::kFloat64);
  const auto labels = torch::tensor({2, 0}, torch::kInt64);
  const auto smoothed = CrossEntropy(logits, labels, 0.3).losses;
  const auto plain = CrossEntropy(logits, labels).losses;
  torch::NoGradGuard no_grad;
  const auto evaluated = CrossEntropy(logits, labels, 0.3).losses;
  for (int i = 0; i < 2; ++i) {
    double total = 0, sharp = 0, smooth = 0;
    for (int k = 0; k < 3; ++k) total += std::exp(logits[i][k].item<double>());
    for (int k = 0; k < 3; ++k) {
      const double surprise = std::log(total) - logits[i][k].item<double>();
      const bool is_label = labels[i].item<int64_t>() == k;
      sharp += is_label ? surprise : 0;
      smooth += (0.3 / 3 + (is_label ? 0.7 : 0)) * surprise;
    }
    EXPECT_NEAR(smoothed[i].item<double>(), smooth, 1e-14);
    EXPECT_NEAR(plain[i].item<double>(), sharp, 1e-14);
    EXPECT_NEAR(evaluated[i].item<double>(), sharp, 1e-14);
  }
}

TEST_F(TorchModelTest, ComputesInDoubleOnDemand) {
  context_.dtype = DType::kF64;
  const auto net = std::make_shared<Net>();
  ASSERT_TRUE(Make([&] { return Classifier(net); }).ok());
  for (const auto& parameter : net->parameters()) {
    EXPECT_EQ(parameter.scalar_type(), torch::kFloat64);
  }
  context_.dtype = DType::kF16;
  EXPECT_EQ(ErrorOf([&] { return Classifier(net); }).message(),
            "model \"test\" computes in F32 or F64, not in F16");
}

TEST_F(TorchModelTest, ParameterWithoutGradientIsNamed) {
  const auto status = ErrorOf([] {
    const auto net = std::make_shared<Net>();
    net->register_module("spare", torch::nn::Linear(2, 2));
    return Classifier(net);
  });
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        "model \"test\": tensor \"spare.weight\" gets no gradient; the loss must "
                        "depend on every parameter"));
}

struct Scaled : torch::nn::Module {
  Scaled() { scale = register_parameter("scale", torch::ones({4, 3})); }
  torch::Tensor forward(torch::Tensor x) { return x.matmul(scale); }
  torch::Tensor scale;
};

TEST_F(TorchModelTest, TensorWithoutRuleForItsStartIsNamed) {
  EXPECT_EQ(ErrorOf([] { return Classifier(std::make_shared<Scaled>()); }).message(),
            "model \"test\": tensor \"scale\" has no rule for its starting values; layers have "
            "tensors \"weight\" and \"bias\"");
}

// Hooks may wait for other workers: autograd's own threads, of which there are few, must not.
TEST_F(TorchModelTest, BucketsAreReportedOnTheCallingThread) {
  const auto model = Make([] { return Classifier(std::make_shared<Net>()); }).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  std::thread::id reported;
  CHECK_OK(model->ForwardBackward(batch_, 1, [&](int) {
    reported = std::this_thread::get_id();
    return absl::OkStatus();
  }));
  EXPECT_EQ(reported, std::this_thread::get_id());
}

TEST_F(TorchModelTest, SaysWhatADeviceLacks) {
  context_.place = Place::kDevice;
  const auto model = Make([] { return Classifier(std::make_shared<Net>()); });
  if (model.ok()) GTEST_SKIP() << "this program and this machine have it";
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(model.status().message()),
              testing::StartsWith("model \"test\" cannot compute on a GPU: this "));
}

TEST_F(TorchModelTest, MixedPrecisionIsOfF32) {
  context_.autocast = DType::kBF16;
  context_.dtype = DType::kF64;
  EXPECT_EQ(ErrorOf([] { return Classifier(std::make_shared<Net>()); }),
            absl::InvalidArgumentError("model \"test\": mixed precision is of F32 and BF16, but "
                                       "train.dtype is F64"));
}

TEST_F(TorchModelTest, ExceptionsBecomeOneLine) {
  data_ = LabelledSpec({5}, 3);  // the net takes 4
  const auto dry = ErrorOf([] { return Classifier(std::make_shared<Net>()); });
  EXPECT_EQ(dry.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(dry.message()),
              testing::AllOf(testing::StartsWith("model \"test\": pass over a batch of zeros: "),
                             HasSubstr("mat1 and mat2 shapes cannot be multiplied")));
  EXPECT_EQ(dry.message().find('\n'), absl::string_view::npos);

  const auto build = ErrorOf([]() -> TorchNet { throw std::runtime_error("no such layer"); });
  EXPECT_EQ(build.message(), "model \"test\": no such layer");
}

TEST_F(TorchModelTest, WrongBatchesAreErrorsAndTheModelGoesOn) {
  const auto model = Make([] { return Classifier(std::make_shared<Net>()); }).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const auto ready = [](int) { return absl::OkStatus(); };
  const double loss = Pass(model.get(), batch_);

  int64_t& label = batch_.fields[1].buffer().as<int64_t>()[2];
  const int64_t right = std::exchange(label, 3);
  const auto status = model->ForwardBackward(batch_, 1, ready).status();
  EXPECT_THAT(std::string(status.message()),
              testing::StartsWith("model \"test\": training pass: Target 3 is out of"));
  label = right;
  MetricSums sums;
  EXPECT_EQ(model->Evaluate(Batch(), &sums).message(),
            "model \"test\" was made for batches of 2 fields and at least one example; given are 0 "
            "fields and 0 examples");
  EXPECT_EQ(sums.targets, 0);
  EXPECT_EQ(Pass(model.get(), batch_), loss);
}

TEST(VersionsTest, NamesLibTorch) { EXPECT_EQ(ModelLibraryVersions().count("libtorch"), 1u); }

}  // namespace
}  // namespace starling
