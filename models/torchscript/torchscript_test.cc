#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "caffe2/serialize/inline_container.h"
#include "core/buffer.h"
#include "core/state.h"
#include "core/status.h"
#include "data/dataset.h"
#include "glog/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"
#include "models/torch/dropout.h"
#include "torch/csrc/jit/api/module.h"
#include "torch/types.h"

namespace starling {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using torch::jit::Module;

// Smooth, unlike ReLU, so that finite differences are exact enough everywhere.
constexpr char kForward[] =
    "def forward(self, x): return self.fc2.forward(torch.tanh(self.fc1.forward(x)))";

torch::Tensor Values(std::vector<int64_t> shape, double scale = 0.1) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return (torch::arange(count, torch::kFloat32) - count / 2.0).mul(scale / count).reshape(shape);
}

Module Linear(int64_t in, int64_t out) {
  Module module("Linear");
  module.register_parameter("weight", Values({out, in}).requires_grad_(), /*is_buffer=*/false);
  module.register_parameter("bias", Values({out}).requires_grad_(), /*is_buffer=*/false);
  module.define(
      "def forward(self, x): return torch.linear(x.flatten(1), self.weight, self.bias)\n");
  return module;
}

// fc1 and fc2, as Python's torch.jit.script would make them, with the methods of `source`.
Module Net(const std::string& source, int64_t in = 4, int64_t classes = 3) {
  Module net("Net");
  net.register_attribute("training", c10::BoolType::get(), true);
  net.register_module("fc1", Linear(in, 6));
  net.register_module("fc2", Linear(6, classes));
  net.define(source + "\n");
  return net;
}

std::string Path(const std::string& name) { return absl::StrCat(testing::TempDir(), "/", name); }

std::string Saved(const Module& module, const std::string& name = "net.pt") {
  module.save(Path(name));
  return Path(name);
}

absl::StatusOr<std::unique_ptr<Model>> Make(const std::string& path, const DataSpec& data,
                                            const std::string& more = "") {
  Model::Context context;
  context.data = &data;
  return CreateModel("torchscript", absl::StrCat("file: \"", path, "\" ", more), context);
}

absl::StatusOr<std::unique_ptr<Model>> Make(const Module& module) {
  return Make(Saved(module), LabelledSpec({4}, 3));
}

std::string ErrorOf(const Module& module, const DataSpec& data = LabelledSpec({4}, 3)) {
  const auto status = Make(Saved(module), data).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
  return std::string(status.message());
}

std::vector<ModelCase> Cases() {
  // Losses of its own: half the squared error.
  const std::string regression =
      Saved(Net("def forward(self, x, y): return "
                "(self.fc2.forward(torch.tanh(self.fc1.forward(x))) - y).pow(2)"
                ".sum(1) / 2.0",
                4, 2),
            "regression.pt");
  const std::string classifier = Saved(Net(kForward), "classifier.pt");
  DataSpec points;
  points.fields = {{"x", {4}, DType::kF32}, {"y", {2}, DType::kF32}};
  const auto config = [](const std::string& path) {
    return absl::StrCat("file: \"", path, "\" starting_values: FROM_SEED");
  };
  return {{"Logits", "torchscript", config(classifier), LabelledSpec({2, 2}, 3)},
          {"Losses", "torchscript", config(regression), points}};
}

INSTANTIATE_TEST_SUITE_P(Torchscript, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

TEST(TorchscriptTest, StartsWithTheValuesOfTheFile) {
  const auto model = Make(Net(kForward)).value();
  const Arenas arenas(model->layout(), DType::kF32);
  for (uint64_t stream : {1, 2}) {
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));  // before or after: no difference
    CHECK_OK(model->Initialize(stream, arenas.x()));
    for (const TensorInfo& tensor : model->layout().tensors) {
      const torch::Tensor expected = Values(tensor.shape).flatten();
      for (int64_t i = 0; i < tensor.count; ++i) {
        EXPECT_EQ(GetElement(arenas.x(), tensor.offset + i), expected[i].item<double>())
            << tensor.name << " " << i;
      }
    }
  }
}

// The script module itself, in plain LibTorch.
TEST(TorchscriptTest, ComputesWhatLibTorchComputes) {
  Module net = Net(kForward);
  const auto model = Make(net).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const Batch batch = MadeUpBatch(LabelledSpec({4}, 3), 5, 1);

  const torch::Tensor x = torch::from_blob(batch.fields[0].buffer().data, {5, 4}),
                      labels = torch::from_blob(batch.fields[1].buffer().data, {5}, torch::kInt64);
  const torch::Tensor loss = torch::cross_entropy_loss(net.forward({x}).toTensor(), labels);
  loss.backward();
  EXPECT_FLOAT_EQ(static_cast<float>(Pass(model.get(), batch)), loss.item<float>());
  for (const TensorInfo& tensor : model->layout().tensors) {
    for (const auto& parameter : net.named_parameters()) {
      if (parameter.name != tensor.name) continue;
      const torch::Tensor gradient = parameter.value.grad().flatten();
      for (int64_t i = 0; i < tensor.count; ++i) {
        EXPECT_NEAR(GetElement(arenas.g(), tensor.offset + i), gradient[i].item<double>(), 1e-7);
      }
    }
  }
}

// As for text: a label for each place of a sequence, classes on the last axis.
TEST(TorchscriptTest, LogitsMayHaveALabelForEachPlace) {
  DataSpec data;
  data.fields = {{"tokens", {7}, DType::kI64}, {"targets", {7}, DType::kI64}};
  data.vocabulary = 5;
  Module net("Net");
  net.register_parameter("table", Values({5, 5}).requires_grad_(), false);
  net.define("def forward(self, tokens): return self.table[tokens]\n");
  const auto model = Make(Saved(net), data).value();
  const Arenas arenas(model->layout(), DType::kF32);  // zeros: every token is as likely
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  Batch batch;
  batch.size = 2;
  for (int field : {0, 1}) ReserveField(&batch, field, 2, {7}, DType::kI64);
  EXPECT_NEAR(Pass(model.get(), batch), std::log(5.0), 1e-6);
  MetricSums sums;
  CHECK_OK(model->Evaluate(batch, &sums));
  EXPECT_EQ(sums.targets, 14);
  EXPECT_EQ(sums.correct, 14);  // all are 0, the first of equals
}

TEST(TorchscriptTest, FrozenParametersStayAsTheyAre) {
  Module net = Net(kForward);
  net.attr("fc1").toModule().attr("bias").toTensor().requires_grad_(false);
  const auto model = Make(net).value();
  std::vector<std::string> names;
  for (const TensorInfo& tensor : model->layout().tensors) names.push_back(tensor.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("fc1.weight", "fc2.weight", "fc2.bias"));
  DigestVisitor state(&model->layout());
  CHECK_OK(model->VisitState(&state));
  DigestVisitor none(&model->layout());
  EXPECT_NE(state.digest(), none.digest()) << "what is not trained is state";
}

TEST(TorchscriptTest, BuffersOfUnknownKindsAreNamed) {
  const auto with_buffer = [](const torch::Tensor& buffer) {
    Module net = Net(kForward);
    net.register_buffer("mask", buffer);
    return net;
  };
  const auto masked = Make(with_buffer(torch::ones({3, 3}, torch::kBool).tril())).value();
  DigestVisitor state(&masked->layout());
  EXPECT_TRUE(masked->VisitState(&state).ok());
  EXPECT_EQ(ErrorOf(with_buffer(torch::ones({3}, torch::kInt16))),
            "model \"torchscript\": buffer \"mask\" is of type Short; buffers may be "
            "floating-point, int, long, byte or bool");
  EXPECT_EQ(ErrorOf(with_buffer(torch::ones({2, 3}).t())),
            "model \"torchscript\": buffer \"mask\" is not contiguous; register its contiguous()");
}

TEST(TorchscriptTest, TiedParametersAreOne) {
  Module net("Net");
  const torch::Tensor tied = Values({4, 4}).requires_grad_();
  net.register_parameter("encoder", tied, false);
  net.register_parameter("decoder", tied, false);
  net.define(
      "def forward(self, x): return torch.matmul(torch.matmul(x, self.encoder), "
      "self.decoder)\n");
  const auto model = Make(Saved(net), LabelledSpec({4}, 3)).value();
  ASSERT_EQ(model->layout().tensors.size(), 1u);
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const Batch batch = MadeUpBatch(LabelledSpec({4}, 3), 5, 1);
  const double loss = Pass(model.get(), batch);
  SetElement(arenas.x(), 0, 5);
  EXPECT_NE(Pass(model.get(), batch), loss);
}

TEST(TorchscriptTest, KnowsWhetherItTrains) {
  Module net =
      Net("def forward(self, x):\n"
          "  y = self.fc2.forward(torch.tanh(self.fc1.forward(x)))\n"
          "  if self.training:\n"
          "    y = y * 2.0\n"
          "  return y\n");
  const auto model = Make(net).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const Batch batch = MadeUpBatch(LabelledSpec({4}, 3), 5, 1);
  const double training = Pass(model.get(), batch);
  MetricSums sums;
  CHECK_OK(model->Evaluate(batch, &sums));
  EXPECT_GT(std::abs(training - sums.loss / 5), 1e-4);
  EXPECT_EQ(Pass(model.get(), batch), training);
}

// Half of the hidden values are dropped, anew for each stream and for each of the two calls.
TEST(TorchscriptTest, DropoutDrawsFromTheStream) {
  for (const char* dropout : {"torch.dropout", "torch.dropout_"}) {
    const auto model =
        Make(
            Net(absl::StrCat("def drop(self, x):\n"
                             "  return ",
                             dropout,
                             "(x, 0.5, self.training)\n"
                             "def forward(self, x):\n"
                             "  h = self.fc1.forward(x)\n"
                             "  return self.fc2.forward(self.drop(h * 2.0) - self.drop(h * 2.0))")))
            .value();
    const Arenas arenas(model->layout(), DType::kF32);
    CHECK_OK(model->Initialize(1, arenas.x()));
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    const Batch batch = MadeUpBatch(LabelledSpec({4}, 3), 50, 1);
    const double first = Pass(model.get(), batch, 1), other = Pass(model.get(), batch, 2);
    EXPECT_NE(first, other);
    torch::manual_seed(5);
    EXPECT_EQ(Pass(model.get(), batch, 1), first);
    // Nothing is dropped: both are the same, and what is left is fc2's bias.
    MetricSums sums;
    CHECK_OK(model->Evaluate(batch, &sums));
    EXPECT_NE(sums.loss / 50, first);
    double bias_alone = 0;
    const torch::Tensor losses = torch::log_softmax(Values({3}), 0).neg();
    for (int64_t label : batch.fields[1].buffer().as<int64_t>()) {
      bias_alone += losses[label].item<double>();
    }
    EXPECT_NEAR(sums.loss, bias_alone, 1e-4);
  }
}

TEST(TorchscriptTest, DropoutIsMaskedByOurNumbers) {
  Module net("Net");
  net.register_attribute("training", c10::BoolType::get(), true);
  net.register_parameter("scale", torch::ones({1000}).requires_grad_(), false);
  net.define(
      "def forward(self, x, y): return torch.dropout(x * self.scale, 0.25, self.training)\n");
  DataSpec data;
  data.fields = {{"x", {1000}, DType::kF32}, {"y", {}, DType::kF32}};
  const auto model = Make(Saved(net), data).value();
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const Batch batch = MadeUpBatch(data, 3, 1);
  const torch::Tensor x = torch::from_blob(batch.fields[0].buffer().data, {3, 1000});
  const torch::Tensor expected = Dropout(x, 0.25, /*stream=*/9, /*place=*/0, /*training=*/true);
  EXPECT_FLOAT_EQ(static_cast<float>(Pass(model.get(), batch, 9)), expected.mean().item<float>());
  const torch::Tensor gradient = expected.sum(0) / 3000;
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_NEAR(GetElement(arenas.g(), i), gradient[i].item<double>(), 1e-9);
  }
}

TEST(TorchscriptTest, RefusesOtherRandomOperators) {
  const std::vector<std::pair<std::string, std::string>> random = {
      {"torch.feature_dropout(self.fc1.forward(x), 0.1, True)", "aten::feature_dropout"},
      {"self.fc1.forward(x) + torch.rand(1)", "aten::rand"},
      {"torch.bernoulli(torch.sigmoid(self.fc1.forward(x)))", "aten::bernoulli"},
      {"self.fc1.forward(x).normal_()", "aten::normal_"},
  };
  for (const auto& [hidden, name] : random) {
    const std::string source =
        absl::StrCat("def forward(self, x):\n  h = ", hidden, "\n  return self.fc2.forward(h)\n");
    EXPECT_THAT(ErrorOf(Net(source)),
                HasSubstr(absl::StrCat("net.pt: forward calls ", name, ", which draws from")));
  }
  // In a branch of a function that forward calls.
  EXPECT_THAT(ErrorOf(Net("def noise(self, x):\n"
                          "  if self.training:\n"
                          "    x = x + torch.randn_like(x)\n"
                          "  return x\n"
                          "def forward(self, x):\n"
                          "  return self.fc2.forward(self.noise(self.fc1.forward(x)))\n")),
              HasSubstr("forward calls aten::randn_like"));
}

TEST(TorchscriptTest, TakesRandomOperatorsThatAreSwitchedOff) {
  for (const char* off : {"0.0, self.training", "0.5, False"}) {
    const auto model =
        Make(Net(absl::StrCat("def forward(self, x): return self.fc2.forward(",
                              "torch.feature_dropout(self.fc1.forward(x), ", off, "))")));
    EXPECT_TRUE(model.ok()) << model.status();
  }
}

TEST(TorchscriptTest, SaysWhatForwardMustTake) {
  constexpr char kWanted[] =
      "net.pt: forward must take the data set's fields (image, label) as tensors and return their "
      "losses, or take all but the last and return logits for it; it is forward(";
  const std::string three = ErrorOf(Net("def forward(self, x, y, z): return self.fc1.forward(x)"));
  EXPECT_THAT(three, HasSubstr(kWanted));
  EXPECT_THAT(three, HasSubstr("forward(Tensor x, Tensor y, Tensor z) -> Tensor"));
  EXPECT_THAT(ErrorOf(Net("def forward(self, n: int): return self.fc1.weight * n")),
              HasSubstr("forward(int n) -> Tensor"));
  EXPECT_THAT(ErrorOf(Net("def forward(self, x): return self.fc1.forward(x), x")),
              HasSubstr("forward(Tensor x) -> (Tensor, Tensor)"));
  Module empty("Net");
  empty.define("def encode(self, x): return x\n");
  EXPECT_THAT(ErrorOf(empty), HasSubstr("net.pt: it has no method \"forward\""));
}

TEST(TorchscriptTest, SaysWhatForwardMustReturn) {
  EXPECT_THAT(
      ErrorOf(Net("def forward(self, x): return self.fc2.forward(self.fc1.forward(x)).sum(1)")),
      HasSubstr("so it must return logits for that one's labels [2], the classes (3) as "
                "one more axis; it returns [2] of Float"));
  EXPECT_THAT(ErrorOf(Net(kForward), LabelledSpec({4}, 10)),
              HasSubstr("the classes (10) as one more axis; it returns [2, 3] of Float"));
  EXPECT_THAT(
      ErrorOf(
          Net("def forward(self, x, y): return torch.mean(self.fc2.forward(self.fc1.forward(x)))")),
      HasSubstr("it must return a loss for each example (reduction=\"none\"), [2, ...] numbers "
                "here; it returns [] of Float"));
}

TEST(TorchscriptTest, ErrorsOfTheScriptBecomeOneLine) {
  EXPECT_THAT(ErrorOf(Net(kForward), LabelledSpec({5}, 3)),
              AllOf(StartsWith("model \"torchscript\": pass over a batch of zeros: RuntimeError: "),
                    HasSubstr("mat1 and mat2 shapes cannot be multiplied")));
  EXPECT_THAT(ErrorOf(Net("def forward(self, x):\n"
                          "  assert x.size(0) > 9, 'too few'\n"
                          "  return self.fc2.forward(self.fc1.forward(x))")),
              StartsWith("model \"torchscript\": pass over a batch of zeros: RuntimeError: "
                         "AssertionError: too few"));
}

TEST(TorchscriptTest, ParametersWithoutGradientAreNamed) {
  EXPECT_EQ(
      ErrorOf(Net("def forward(self, x): return self.fc1.forward(x)")),
      "model \"torchscript\": tensor \"fc2.weight\" gets no gradient; the loss must depend on "
      "every parameter");
  Module none("Net");
  none.define("def forward(self, x): return x\n");
  EXPECT_THAT(ErrorOf(none), HasSubstr("has no parameters that require a gradient"));
}

TEST(TorchscriptTest, SaysWhatTheFileMustBe) {
  const DataSpec data = LabelledSpec({4}, 3);
  Model::Context context;
  context.data = &data;
  EXPECT_EQ(CreateModel("torchscript", "", context).status(),
            absl::InvalidArgumentError("model \"torchscript\": model.config.file is not set; it "
                                       "names a file written by torch.jit.save in Python"));
  const auto missing = Make("/nowhere/net.pt", data).status();
  EXPECT_EQ(missing, absl::NotFoundError("model \"torchscript\": cannot open /nowhere/net.pt: No "
                                         "such file or directory"));
  std::ofstream(Path("text.pt")) << "import torch\n";
  const auto text = Make(Path("text.pt"), data).status();
  EXPECT_EQ(text.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(text.message()),
              HasSubstr(absl::StrCat("cannot load ", Path("text.pt"),
                                     " (wanted: a file written by "
                                     "torch.jit.save of this version or an older one): ")));
  EXPECT_EQ(text.message().find('\n'), absl::string_view::npos);
}

// A good file with a format version of the future.
TEST(TorchscriptTest, SaysThatAFileIsTooNew) {
  caffe2::serialize::PyTorchStreamReader reader(Saved(Net(kForward)));
  {
    caffe2::serialize::PyTorchStreamWriter writer(Path("future.pt"));
    for (const std::string& name : reader.getAllRecords()) {
      if (name == "version" || name == ".data/version") continue;
      const auto [record, size] = reader.getRecord(name);
      writer.writeRecord(name, record.get(), size);
    }
    writer.setMinVersion(1000);
    writer.writeEndOfFile();
  }
  const auto status = Make(Path("future.pt"), LabelledSpec({4}, 3)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("with version 1000, but the maximum"));
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

}  // namespace
}  // namespace starling
