#include "models/model_conformance.h"

#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/layout.h"
#include "core/state.h"
#include "core/status.h"
#include "glog/logging.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF64};
constexpr int64_t kBucketBytes[] = {1, 256, 4096, int64_t{1} << 40};

void ExpectCovers(const Layout& layout) {
  std::set<std::string> names;
  int64_t offset = 0;
  for (const TensorInfo& tensor : layout.tensors) {
    EXPECT_FALSE(tensor.name.empty());
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name << " stands twice";
    int64_t count = 1;
    for (int64_t extent : tensor.shape) count *= extent;
    EXPECT_EQ(tensor.count, count) << tensor.name;
    EXPECT_EQ(tensor.offset, offset) << tensor.name;
    EXPECT_EQ(tensor.offset % kTensorPadding, 0) << tensor.name;
    offset += (count + kTensorPadding - 1) / kTensorPadding * kTensorPadding;
  }
  EXPECT_EQ(layout.size, offset);

  offset = 0;
  std::set<int64_t> tensor_starts;
  for (const TensorInfo& tensor : layout.tensors) tensor_starts.insert(tensor.offset);
  for (const Range& bucket : layout.buckets) {
    EXPECT_EQ(bucket.offset, offset);
    EXPECT_EQ(tensor_starts.count(bucket.offset), 1u) << "a bucket starts inside a tensor";
    EXPECT_GT(bucket.count, 0);
    offset += bucket.count;
  }
  EXPECT_EQ(layout.size, offset);
}

void ExpectSameTensors(const Layout& a, const Layout& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].name, b.tensors[i].name);
    EXPECT_EQ(a.tensors[i].shape, b.tensors[i].shape);
    EXPECT_EQ(a.tensors[i].offset, b.tensors[i].offset);
    EXPECT_EQ(a.tensors[i].decay, b.tensors[i].decay);
  }
}

// Calls visit(index of the element) for the padding behind every tensor.
template <typename Visit>
void ForEachPadding(const Layout& layout, const Visit& visit) {
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    const int64_t end = i + 1 < layout.tensors.size() ? layout.tensors[i + 1].offset : layout.size;
    for (int64_t k = layout.tensors[i].offset + layout.tensors[i].count; k < end; ++k) visit(k);
  }
}

uint64_t StateDigest(Model* model) {
  DigestVisitor visitor(&model->layout());
  CHECK_OK(model->VisitState(&visitor));
  return visitor.digest();
}

}  // namespace

ModelConformance::ModelConformance() : batch_(MadeUpBatch(GetParam().data, 4, /*stream=*/3)) {}

std::unique_ptr<Model> ModelConformance::Make(DType type, int64_t bucket_bytes) const {
  Model::Context context;
  context.data = &GetParam().data;
  context.dtype = type;
  context.bucket_bytes = bucket_bytes;
  auto model = CreateModel(GetParam().plugin, GetParam().config, context);
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

TEST_P(ModelConformance, LayoutCoversTheArena) {
  for (DType type : kTypes) {
    const auto reference = Make(type);
    EXPECT_GT(reference->layout().parameters(), 0);
    for (int64_t bucket_bytes : kBucketBytes) {
      const auto model = Make(type, bucket_bytes);
      SCOPED_TRACE(absl::StrCat("bucket_bytes ", bucket_bytes));
      ExpectCovers(model->layout());
      ExpectSameTensors(model->layout(), reference->layout());
    }
  }
  EXPECT_EQ(Make(DType::kF32, 1)->layout().buckets.size(), Make()->layout().tensors.size());
  EXPECT_EQ(Make(DType::kF32, int64_t{1} << 40)->layout().buckets.size(), 1u);
}

TEST_P(ModelConformance, LayoutIsTheSameOnEveryWorker) {
  const auto first = Make();
  Model::Context context;
  context.data = &GetParam().data;
  context.worker = 2;
  context.workers = 3;
  const auto other = CreateModel(GetParam().plugin, GetParam().config, context);
  ASSERT_TRUE(other.ok()) << other.status();
  ExpectSameTensors(first->layout(), (*other)->layout());
}

TEST_P(ModelConformance, StartingValuesDependOnTheStreamAlone) {
  for (DType type : kTypes) {
    const auto model = Make(type), twin = Make(type, /*bucket_bytes=*/1);
    const Arenas first(model->layout(), type), second(model->layout(), type);
    // What lay there before is overwritten.
    for (int64_t i = 0; i < second.x().count; ++i) SetElement(second.x(), i, 5);
    CHECK_OK(model->Initialize(11, first.x()));
    CHECK_OK(twin->Initialize(11, second.x()));
    EXPECT_EQ(Bits(first.x()), Bits(second.x()));
    for (int64_t i = 0; i < first.x().count; ++i) {
      ASSERT_TRUE(std::isfinite(GetElement(first.x(), i))) << "element " << i;
    }
    ForEachPadding(model->layout(),
                   [&](int64_t i) { EXPECT_EQ(GetElement(first.x(), i), 0) << "element " << i; });
    CHECK_OK(twin->Initialize(12, second.x()));
    EXPECT_NE(Bits(first.x()), Bits(second.x()));
  }
}

TEST_P(ModelConformance, BucketsAreReportedInOrderWithFinalGradients) {
  for (int64_t bucket_bytes : kBucketBytes) {
    const auto model = Make(DType::kF32, bucket_bytes);
    const Layout& layout = model->layout();
    const Arenas arenas(layout, DType::kF32);
    CHECK_OK(model->Initialize(1, arenas.x()));
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    std::vector<std::string> reported;
    const auto result = model->ForwardBackward(batch_, 1, [&](int bucket) {
      EXPECT_EQ(bucket, static_cast<int>(reported.size()));
      const Range& range = layout.buckets[bucket];
      reported.push_back(Bits(arenas.g().Slice(range.offset, range.count)));
      return absl::OkStatus();
    });
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(reported.size(), layout.buckets.size());
    for (size_t i = 0; i < reported.size(); ++i) {
      const Range& range = layout.buckets[i];
      EXPECT_EQ(reported[i], Bits(arenas.g().Slice(range.offset, range.count))) << "bucket " << i;
    }
  }
}

// Algorithms update a bucket while the backward pass goes on.
TEST_P(ModelConformance, ReportedBucketsMayBeOverwritten) {
  const auto model = Make(DType::kF32, /*bucket_bytes=*/1);
  const Layout& layout = model->layout();
  const Arenas arenas(layout, DType::kF32);
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  CHECK_OK(model->Initialize(1, arenas.x()));
  Pass(model.get(), batch_);
  const std::string expected = Bits(arenas.g());
  std::string got;
  const auto result = model->ForwardBackward(batch_, 1, [&](int bucket) {
    const Range& range = layout.buckets[bucket];
    got += Bits(arenas.g().Slice(range.offset, range.count));
    for (int64_t i = range.offset; i < range.offset + range.count; ++i) {
      SetElement(arenas.x(), i, std::nan(""));
      SetElement(arenas.g(), i, std::nan(""));
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::isfinite(LossOf(*result)));
  EXPECT_EQ(got, expected);
}

TEST_P(ModelConformance, GradientsAreWrittenNotAdded) {
  const auto model = Make();
  const Layout& layout = model->layout();
  const Arenas arenas(layout, DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const double loss = Pass(model.get(), batch_);
  const std::string first = Bits(arenas.g());
  ForEachPadding(layout,
                 [&](int64_t i) { EXPECT_EQ(GetElement(arenas.g(), i), 0) << "element " << i; });
  for (const TensorInfo& tensor : layout.tensors) {
    for (int64_t i = 0; i < tensor.count; ++i) SetElement(arenas.g(), tensor.offset + i, 7);
  }
  EXPECT_EQ(Pass(model.get(), batch_), loss);
  EXPECT_EQ(Bits(arenas.g()), first);
}

TEST_P(ModelConformance, BindingLeavesOtherArenasAlone) {
  const auto model = Make();
  const Arenas first(model->layout(), DType::kF32), second(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, first.x()));
  CHECK_OK(model->Initialize(2, second.x()));
  CHECK_OK(model->Bind(first.x(), first.g()));
  const double loss = Pass(model.get(), batch_);
  const std::string x = Bits(first.x()), g = Bits(first.g());

  CHECK_OK(model->Bind(second.x(), second.g()));
  EXPECT_NE(Pass(model.get(), batch_), loss);
  EXPECT_NE(Bits(second.g()), g);
  EXPECT_EQ(Bits(first.x()), x);
  EXPECT_EQ(Bits(first.g()), g);

  CHECK_OK(model->Bind(first.x(), second.g()));
  EXPECT_EQ(Pass(model.get(), batch_), loss);
  EXPECT_EQ(Bits(second.g()), g);

  // A bound arena is read when a pass starts, not when it is bound.
  std::memcpy(first.x().data, second.x().data, second.x().bytes());
  EXPECT_NE(Pass(model.get(), batch_), loss);
}

TEST_P(ModelConformance, EvaluationChangesNothing) {
  for (DType type : kTypes) {
    const auto model = Make(type);
    const Arenas arenas(model->layout(), type);
    CHECK_OK(model->Initialize(1, arenas.x()));
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    Pass(model.get(), batch_);
    const std::string x = Bits(arenas.x()), g = Bits(arenas.g());
    const uint64_t state = StateDigest(model.get());
    MetricSums sums;
    CHECK_OK(model->Evaluate(batch_, &sums));
    const MetricSums once = sums;
    EXPECT_GT(once.targets, 0);
    EXPECT_EQ(once.targets % batch_.size, 0);  // made-up examples have equally many
    EXPECT_TRUE(std::isfinite(once.loss));
    EXPECT_GE(once.correct, 0);
    EXPECT_LE(once.correct, static_cast<double>(once.targets));
    // Evaluation adds, and binding parameters alone is enough for it.
    CHECK_OK(model->Bind(arenas.x(), Buffer()));
    CHECK_OK(model->Evaluate(batch_, &sums));
    EXPECT_EQ(sums.loss, 2 * once.loss);
    EXPECT_EQ(sums.correct, 2 * once.correct);
    EXPECT_EQ(sums.targets, 2 * once.targets);
    EXPECT_EQ(Bits(arenas.x()), x);
    EXPECT_EQ(Bits(arenas.g()), g);
    EXPECT_EQ(StateDigest(model.get()), state);
  }
}

TEST_P(ModelConformance, BitsDependOnNeitherThreadNorAddress) {
  const auto run = [this](int64_t shift, std::string* bits) {
    const auto model = Make();
    const Arenas arenas(model->layout(), DType::kF32, shift);
    CHECK_OK(model->Initialize(1, arenas.x()));
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    for (int step = 0; step < 3; ++step) {
      *bits += absl::StrCat(Pass(model.get(), batch_), " ");
      for (int64_t i = 0; i < arenas.x().count; ++i) {
        const double x = GetElement(arenas.x(), i), g = GetElement(arenas.g(), i);
        SetElement(arenas.x(), i, x - 0.125 * g);
      }
    }
    *bits += Bits(arenas.x());
  };
  std::string expected, shifted, concurrent[2];
  run(0, &expected);
  run(kTensorPadding, &shifted);
  std::thread first(run, 0, &concurrent[0]), second(run, 3 * kTensorPadding, &concurrent[1]);
  first.join();
  second.join();
  EXPECT_EQ(shifted, expected);
  EXPECT_EQ(concurrent[0], expected);
  EXPECT_EQ(concurrent[1], expected);
}

TEST_P(ModelConformance, StatusOfReadyIsReturned) {
  const auto model = Make(DType::kF32, /*bucket_bytes=*/1);
  const int buckets = static_cast<int>(model->layout().buckets.size());
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  for (int failing : {0, buckets - 1}) {
    int calls = 0;
    const auto result = model->ForwardBackward(batch_, 1, [&](int bucket) {
      ++calls;
      return bucket == failing ? absl::AbortedError("a peer left") : absl::OkStatus();
    });
    EXPECT_EQ(result.status(), absl::AbortedError("a peer left"));
    EXPECT_EQ(calls, failing + 1);
  }
  Pass(model.get(), batch_);  // works again
}

TEST_P(ModelConformance, WrongArenasAreRefused) {
  const auto model = Make();
  const Layout& layout = model->layout();
  const Arenas arenas(layout, DType::kF32), doubles(layout, DType::kF64);
  const Buffer shorter = arenas.x().Slice(0, layout.size - 1);
  Buffer nowhere = arenas.x();
  nowhere.place = Place::kVirtual;
  for (const Buffer& wrong : {shorter, doubles.x(), nowhere, Buffer()}) {
    EXPECT_EQ(model->Initialize(1, wrong).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(model->Bind(wrong, arenas.g()).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(model->Bind(arenas.x(), shorter).code(), absl::StatusCode::kInvalidArgument);

  const auto ready = [](int) { return absl::OkStatus(); };
  MetricSums sums;
  EXPECT_EQ(model->ForwardBackward(batch_, 1, ready).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(model->Evaluate(batch_, &sums).code(), absl::StatusCode::kFailedPrecondition);
  CHECK_OK(model->Bind(arenas.x(), Buffer()));
  EXPECT_EQ(model->ForwardBackward(batch_, 1, ready).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace starling
