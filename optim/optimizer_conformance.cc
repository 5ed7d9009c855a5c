#include "optim/optimizer_conformance.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/ops/testing.h"
#include "core/random/random.h"
#include "core/state.h"
#include "core/status.h"
#include "optim/allocation_counter.h"
#include "optim/optimizer.h"

namespace starling {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF64};
constexpr int kSteps = 9;  // more than two of the longest windows in the tests

Layout TestLayout() {
  std::vector<TensorInfo> tensors;
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{7, 9}, {7}, {1}, {33, 4}, {2, 3, 4}, {32}, {1, 1}}) {
    TensorInfo tensor;
    tensor.name = absl::StrCat("tensor", tensors.size());
    tensor.shape = shape;
    tensor.decay = DecaysByDefault(shape);
    tensors.push_back(std::move(tensor));
  }
  return MakeLayout(std::move(tensors), /*bucket_bytes=*/1, /*element_bytes=*/4);
}

double Get(const Buffer& buffer, int64_t i) {
  return buffer.type == DType::kF32 ? buffer.as<float>()[i] : buffer.as<double>()[i];
}

void Set(const Buffer& buffer, int64_t i, double value) {
  if (buffer.type == DType::kF32) {
    buffer.as<float>()[i] = static_cast<float>(value);
  } else {
    buffer.as<double>()[i] = value;
  }
}

std::string Bytes(const Buffer& buffer) {
  return std::string(static_cast<const char*>(buffer.data), buffer.bytes());
}

class Saver final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    EXPECT_TRUE(saved_.emplace(std::string(name), Bytes(state)).second) << name << " twice";
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view name, std::string* state) override {
    EXPECT_TRUE(saved_.emplace(std::string(name), *state).second) << name << " twice";
    return absl::OkStatus();
  }
  const std::map<std::string, std::string>& saved() const { return saved_; }

 private:
  std::map<std::string, std::string> saved_;
};

class Loader final : public StateVisitor {
 public:
  explicit Loader(const std::map<std::string, std::string>& saved) : saved_(saved) {}
  absl::Status Visit(absl::string_view name, Buffer state) override {
    const std::string& bytes = saved_.at(std::string(name));
    EXPECT_EQ(static_cast<int64_t>(bytes.size()), state.bytes()) << name;
    std::copy(bytes.begin(), bytes.end(), static_cast<char*>(state.data));
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view name, std::string* state) override {
    *state = saved_.at(std::string(name));
    return absl::OkStatus();
  }

 private:
  const std::map<std::string, std::string>& saved_;
};

// An optimizer with the memory that it works on. Two trials of equal arguments start equal.
class Trial {
 public:
  Trial(const OptimizerCase& test_case, DType type)
      : layout_(TestLayout()),
        optimizer_(CreateFromText<Optimizer>(test_case.plugin, test_case.config).value()),
        x_(layout_.size, type),
        gradient_(layout_.size, type),
        a_(layout_.size, type),
        b_(layout_.size, type) {
    CHECK_OK(optimizer_->Start(layout_, type, Place::kHost));
    Fill(x(), 1000);
    Fill(a(), 1001);
    Fill(b(), 1002);
  }

  const Layout& layout() const { return layout_; }
  Optimizer& optimizer() { return *optimizer_; }
  Buffer x() const { return x_.buffer(); }
  Buffer gradient() const { return gradient_.buffer(); }
  Buffer a() const { return a_.buffer(); }
  Buffer b() const { return b_.buffer(); }

  static double LearningRate(int step) { return 0.02 / step; }

  // Random numbers in the tensors, zeros in the padding.
  void Fill(Buffer buffer, int seed) const {
    Random random(StreamKey(7, Purpose::kTest, seed, 0));
    for (const TensorInfo& tensor : layout_.tensors) {
      for (int64_t i = 0; i < tensor.count; ++i) Set(buffer, tensor.offset + i, random.Normal());
    }
  }

  void Update(int step, Range range, absl::Span<const Source> mix = {}, Buffer copy_to = {}) {
    UpdateArgs args;
    args.offset = range.offset;
    args.x = x().Slice(range.offset, range.count);
    args.gradient = gradient().Slice(range.offset, range.count);
    args.mix = mix;
    args.copy_to = copy_to;
    args.lr = LearningRate(step);
    CHECK_OK(optimizer_->Update(args));
  }

  // A step over everything at once; `step` counts from 1.
  void Step(int step, absl::Span<const Source> mix = {}, Buffer copy_to = {}) {
    Fill(gradient(), step);
    optimizer_->BeginStep();
    Update(step, {0, layout_.size}, mix, copy_to);
  }

  std::map<std::string, std::string> State() {
    Saver saver;
    CHECK_OK(optimizer_->VisitState(&saver));
    return saver.saved();
  }

  void ExpectSameBits(Trial& other) {
    EXPECT_EQ(Bytes(x()), Bytes(other.x()));
    EXPECT_EQ(State(), other.State());
  }

 private:
  const Layout layout_;
  std::unique_ptr<Optimizer> optimizer_;
  Arena x_, gradient_, a_, b_;
};

// Runs the optimizer and the reference side by side: mixing with 0 to 3 sources, x among them,
// and copies into one of the sources.
void ExpectReference(const OptimizerCase& test_case, DType type, double tolerance) {
  Trial trial(test_case, type);
  std::vector<ReferenceState> state(trial.layout().size);
  for (ReferenceState& s : state) s.fill(0);
  std::vector<double> x(trial.layout().size), a = x, b = x;
  for (int64_t i = 0; i < trial.layout().size; ++i) {
    x[i] = Get(trial.x(), i);
    a[i] = Get(trial.a(), i);
    b[i] = Get(trial.b(), i);
  }
  for (int step = 1; step <= kSteps; ++step) {
    const int sources = step % 4;
    const bool copies = step % 3 == 0;
    const Source mix[] = {{0.5, trial.a()}, {0.25, trial.x()}, {0.25, trial.b()}};
    trial.Step(step, absl::MakeConstSpan(mix, sources), copies ? trial.a() : Buffer());
    for (const TensorInfo& tensor : trial.layout().tensors) {
      for (int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
        double mixed = x[i];
        if (sources > 0) mixed = 0.5 * a[i];
        if (sources > 1) mixed += 0.25 * x[i];
        if (sources > 2) mixed += 0.25 * b[i];
        x[i] = test_case.reference(
            {step, mixed, Get(trial.gradient(), i), Trial::LearningRate(step), tensor.decay},
            state[i]);
        if (copies) a[i] = x[i];
        ASSERT_NEAR(Get(trial.x(), i), x[i], tolerance * std::max(1.0, std::abs(x[i])))
            << tensor.name << "[" << i - tensor.offset << "], step " << step;
        if (copies) {
          ASSERT_EQ(Get(trial.a(), i), Get(trial.x(), i));
        }
      }
    }
  }
}

TEST_P(OptimizerReferenceTest, AgreesInDouble) { ExpectReference(GetParam(), DType::kF64, 1e-14); }

TEST_P(OptimizerReferenceTest, AgreesInFloat) { ExpectReference(GetParam(), DType::kF32, 1e-6); }

TEST_P(OptimizerConformanceTest, RangesDoNotChangeBits) {
  for (DType type : kTypes) {
    Trial whole(GetParam(), type), split(GetParam(), type);
    const std::vector<Range>& buckets = split.layout().buckets;
    for (int step = 1; step <= kSteps; ++step) {
      whole.Step(step);
      split.Fill(split.gradient(), step);
      split.optimizer().BeginStep();
      // Tensors one by one from the end, with two of them in one range.
      for (size_t k = buckets.size() - 1; k >= 2; --k) split.Update(step, buckets[k]);
      split.Update(step, {0, buckets[0].count + buckets[1].count});
    }
    whole.ExpectSameBits(split);
  }
}

TEST_P(OptimizerConformanceTest, MixesLikeAWeightedSumBefore) {
  for (DType type : kTypes) {
    for (size_t sources = 1; sources <= 5; ++sources) {
      Trial fused(GetParam(), type), apart(GetParam(), type);
      const auto mix_of = [](const Trial& t) {
        return std::vector<Source>{
            {0.3, t.a()}, {0.3, t.x()}, {0.2, t.b()}, {0.1, t.a()}, {0.1, t.x()}};
      };
      const std::vector<Source> fused_mix = mix_of(fused), apart_mix = mix_of(apart);
      for (int step = 1; step <= kSteps; ++step) {
        fused.Step(step, absl::MakeConstSpan(fused_mix).first(sources), fused.b());
        ops::WeightedSum(absl::MakeConstSpan(apart_mix).first(sources), apart.x());
        apart.Step(step);
        ops::Copy(apart.x(), apart.b());
      }
      fused.ExpectSameBits(apart);
      EXPECT_EQ(Bytes(fused.b()), Bytes(fused.x()));
    }
  }
}

TEST_P(OptimizerConformanceTest, StartResets) {
  for (DType type : kTypes) {
    Trial fresh(GetParam(), type), again(GetParam(), type);
    for (int step = 1; step <= kSteps; ++step) again.Step(step);
    CHECK_OK(again.optimizer().Start(again.layout(), type, Place::kHost));
    again.Fill(again.x(), 1000);
    for (int step = 1; step <= kSteps; ++step) {
      fresh.Step(step);
      again.Step(step);
    }
    fresh.ExpectSameBits(again);
  }
}

TEST_P(OptimizerConformanceTest, StateIsComplete) {
  for (DType type : kTypes) {
    for (int saved_after = 0; saved_after < kSteps; ++saved_after) {
      Trial straight(GetParam(), type), resumed(GetParam(), type);
      for (int step = 1; step <= saved_after; ++step) straight.Step(step);
      const std::map<std::string, std::string> state = straight.State();
      Loader loader(state);
      CHECK_OK(resumed.optimizer().VisitState(&loader));
      ops::Copy(straight.x(), resumed.x());
      for (int step = saved_after + 1; step <= kSteps; ++step) {
        straight.Step(step);
        resumed.Step(step);
      }
      straight.ExpectSameBits(resumed);
    }
  }
}

TEST_P(OptimizerConformanceTest, DecaySparesTensorsWithOneAxis) {
  if (!GetParam().spares_biases) GTEST_SKIP() << "decays everything";
  for (DType type : kTypes) {
    Trial trial(GetParam(), type);
    const Trial before(GetParam(), type);
    for (int step = 1; step <= kSteps; ++step) {  // with gradients that are zero
      trial.optimizer().BeginStep();
      trial.Update(step, {0, trial.layout().size});
    }
    for (const TensorInfo& tensor : trial.layout().tensors) {
      if (tensor.decay) continue;
      EXPECT_EQ(Bytes(trial.x().Slice(tensor.offset, tensor.count)),
                Bytes(before.x().Slice(tensor.offset, tensor.count)))
          << tensor.name;
    }
  }
}

TEST_P(OptimizerConformanceTest, VectorUnitsDoNotChangeBits) {
  for (DType type : kTypes) {
    const auto run = [&](Trial& trial) {
      const Source mix[] = {{0.7, trial.x()}, {0.3, trial.a()}};
      for (int step = 1; step <= kSteps; ++step) trial.Step(step, mix, trial.b());
    };
    Trial native(GetParam(), type);
    run(native);
    ops::ForEachVectorUnit([&](const char* unit) {
      SCOPED_TRACE(unit);
      Trial trial(GetParam(), type);
      run(trial);
      native.ExpectSameBits(trial);
    });
  }
}

TEST_P(OptimizerConformanceTest, PaddingStaysZero) {
  for (DType type : kTypes) {
    Trial trial(GetParam(), type);
    const Source mix[] = {{0.7, trial.x()}, {0.3, trial.a()}};
    for (int step = 1; step <= kSteps; ++step) trial.Step(step, mix);
    for (size_t k = 0; k < trial.layout().tensors.size(); ++k) {
      const Range bucket = trial.layout().buckets[k];  // one tensor each
      for (int64_t i = trial.layout().tensors[k].count; i < bucket.count; ++i) {
        ASSERT_EQ(Get(trial.x(), bucket.offset + i), 0);
      }
    }
  }
}

TEST_P(OptimizerConformanceTest, AllocatesNothingAfterTheFirstStep) {
  Trial trial(GetParam(), DType::kF32);
  const Source mix[] = {{0.7, trial.x()}, {0.3, trial.a()}};
  trial.Step(1, mix, trial.b());
  const int64_t before = AllocationsOfThisThread();
  for (int step = 2; step <= kSteps; ++step) trial.Step(step, mix, trial.b());
  EXPECT_EQ(AllocationsOfThisThread(), before);
}

TEST_P(OptimizerConformanceTest, RefusesOtherTypes) {
  Trial trial(GetParam(), DType::kF32);
  const absl::Status status = trial.optimizer().Start(trial.layout(), DType::kBF16, Place::kHost);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "optimizers work in F32 and F64, not in BF16");
}

}  // namespace

// A plug-in's test may lack a reference; optim/all_optimizers_test.cc does.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OptimizerReferenceTest);

}  // namespace starling
