// Train of algorithm_testing.h: one worker's trainer, reduced to what an algorithm sees of it.
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/create_from_text.h"
#include "core/ops/ops.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"
#include "optim/membership.h"

namespace starling {
namespace {

// x <- mix(x) - lr g, without state. Expects whole buckets, each once per step.
template <typename T>
class PlainDescent final : public Optimizer {
 public:
  double lr() const override { return 0.1; }
  bool has_momentum() const override { return false; }

  absl::Status Start(const Layout& layout, DType type, Place) override {
    EXPECT_EQ(type, DTypeOf<T>::value);
    layout_ = &layout;
    begun_ = false;
    return absl::OkStatus();
  }

  void BeginStep() override {
    if (begun_) {
      EXPECT_EQ(updated_.size(), layout_->buckets.size()) << "ranges left out";
    }
    begun_ = true;
    updated_.clear();
  }

  absl::Status Update(const UpdateArgs& args) override {
    EXPECT_TRUE(updated_.emplace(args.offset, args.x.count).second) << "a range twice in a step";
    const auto x = args.x.as<T>(), g = args.gradient.as<T>();
    std::vector<T> mixed(x.begin(), x.end()), values(x.size());
    if (!args.mix.empty()) mixed.assign(x.size(), 0);
    for (const Source& source : args.mix) {
      ops::Convert(source.values, AsBuffer(absl::MakeSpan(values)));  // may be narrower
      for (size_t k = 0; k < x.size(); ++k) mixed[k] += static_cast<T>(source.weight) * values[k];
    }
    for (size_t k = 0; k < x.size(); ++k) x[k] = mixed[k] - static_cast<T>(args.lr) * g[k];
    if (args.copy_to.count > 0) ops::Convert(args.x, args.copy_to);
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

 private:
  const Layout* layout_ = nullptr;
  bool begun_ = false;
  std::map<int64_t, int64_t> updated_;  // in this step: offset to count
};

// Saves all state that it visits, or loads it back.
class SavedState final : public StateVisitor {
 public:
  explicit SavedState(const Layout& layout) : layout_(layout) {}

  void StartLoading() { loading_ = true; }

  absl::Status Visit(absl::string_view name, Buffer state) override {
    EXPECT_LE(state.count, layout_.size) << name;
    return Swap(name, static_cast<char*>(state.data), state.bytes());
  }
  absl::Status VisitBytes(absl::string_view name, std::string* state) override {
    if (loading_) state->resize(saved_[std::string(name)].size());
    return Swap(name, state->data(), static_cast<int64_t>(state->size()));
  }

 private:
  absl::Status Swap(absl::string_view name, char* data, int64_t size) {
    if (loading_) {
      const std::string& saved = saved_[std::string(name)];
      if (static_cast<int64_t>(saved.size()) != size) {
        return absl::InternalError(absl::StrCat("state ", name, " has changed its size"));
      }
      if (size > 0) std::memcpy(data, saved.data(), size);
    } else if (!saved_.emplace(std::string(name), std::string(data, size)).second) {
      return absl::InternalError(absl::StrCat("two states called ", name));
    }
    return absl::OkStatus();
  }

  const Layout& layout_;
  bool loading_ = false;
  std::map<std::string, std::string> saved_;
};

// What one worker contributes to a TestRunResult.
struct WorkerResult {
  std::vector<double> x, average;
  AlgorithmFacts facts;
  std::vector<int64_t> started_in_begin, started_in_ready, started_in_end;
  int64_t bytes_sent = 0;
};

template <typename T>
class TestTrainer {
 public:
  TestTrainer(const TestRun& run, const std::vector<Membership>* memberships, Communicator* comm,
              WorkerResult* result)
      : run_(run),
        memberships_(*memberships),
        comm_(comm),
        result_(result),
        layout_(TestLayout(run.bucket_bytes, kType)),
        x_(layout_.size, kType),
        g_(layout_.size, kType) {}

  absl::Status Run() {
    ForEachParameter([&](int64_t k, int64_t at) {
      x()[at] = run_.x0.empty() ? T(1) : static_cast<T>(run_.x0[comm_->rank()][k]);
    });
    RETURN_IF_ERROR(Start());
    result_->facts = algorithm_->facts();
    for (int64_t step = 0; step < run_.steps; ++step) {
      if (ChangesAt(step)) RETURN_IF_ERROR(Change());
      if (!members().alive[comm_->rank()]) {
        for (auto* started :
             {&result_->started_in_begin, &result_->started_in_ready, &result_->started_in_end}) {
          started->push_back(0);
        }
        continue;
      }
      RETURN_IF_ERROR(Step(step));
      if (run_.after_step) {
        RETURN_IF_ERROR(run_.after_step(step, comm_->rank(), algorithm_.get()));
      }
      if (run_.estimate_every > 0 && (step + 1) % run_.estimate_every == 0) {
        RETURN_IF_ERROR(Average(step));
      }
      if (step + 1 == run_.restart_after) RETURN_IF_ERROR(Restart());
    }
    if (members().alive[comm_->rank()]) RETURN_IF_ERROR(Average(run_.steps));
    result_->bytes_sent = comm_->bytes_sent(Traffic::kTraining);
    ForEachParameter([&](int64_t, int64_t at) { result_->x.push_back(x()[at]); });
    return absl::OkStatus();
  }

 private:
  static constexpr DType kType = DTypeOf<T>::value;

  absl::Span<T> x() const { return x_.buffer().as<T>(); }
  absl::Span<T> g() const { return g_.buffer().as<T>(); }

  // Calls f(index without padding, index in the arena).
  template <typename F>
  void ForEachParameter(const F& f) const {
    int64_t k = 0;
    for (const TensorInfo& tensor : layout_.tensors) {
      for (int64_t i = 0; i < tensor.count; ++i) f(k++, tensor.offset + i);
    }
  }

  absl::Status Start() {
    if (run_.optimizer.empty()) {
      optimizer_ = std::make_unique<PlainDescent<T>>();
    } else {
      ASSIGN_OR_RETURN(optimizer_,
                       CreateFromText<Optimizer>(run_.optimizer, run_.optimizer_config));
    }
    ASSIGN_OR_RETURN(algorithm_, CreateFromText<Algorithm>(run_.algorithm, run_.config));
    worker_.id = comm_->rank();
    worker_.count = comm_->size();
    worker_.seed = 1;
    worker_.comm = comm_;
    if (algorithm_->facts().needs_topology) worker_.topology = run_.topology.get();
    worker_.optimizer = optimizer_.get();
    worker_.layout = &layout_;
    worker_.mixing = run_.mixing;
    worker_.mixing.deadline = absl::Seconds(30);  // names who hangs, before the test is killed
    return algorithm_->Start(worker_, x_.buffer(), g_.buffer());
  }

  const Membership& members() const { return memberships_[epoch_]; }
  bool ChangesAt(int64_t step) const {
    return epoch_ < run_.changes.size() && run_.changes[epoch_].step == step;
  }

  absl::Status Change() {
    const Membership& before = members();
    const Membership& after = memberships_[++epoch_];
    return ChangeMembership(before, after, worker_, algorithm_.get(), x_.buffer(), g_.buffer(),
                            [](StateVisitor*) { return absl::OkStatus(); });
  }

  absl::Status Step(int64_t step) {
    StepInfo info;
    info.step = step;
    info.mixes = step % run_.every_steps == 0;
    info.round = step / run_.every_steps;
    const int64_t next = step + 1;
    if (next < run_.steps && next % run_.every_steps == 0 && !ChangesAt(next)) {
      info.next_round = next / run_.every_steps;
    }
    info.lr = run_.lr(step);
    info.lr_max = run_.lr(0);
    RETURN_IF_ERROR(
        Counted(&result_->started_in_begin, [&] { return algorithm_->OnStepBegin(info); }));
    RETURN_IF_ERROR(Counted(&result_->started_in_ready, [&] { return ForwardBackward(info); }));
    RETURN_IF_ERROR(Counted(&result_->started_in_end, [&] { return algorithm_->OnStepEnd(info); }));
    std::vector<T> unpadded(layout_.size);
    ForEachParameter([&](int64_t, int64_t at) { unpadded[at] = x()[at]; });
    EXPECT_EQ(absl::MakeConstSpan(unpadded), x()) << "the padding has changed";
    return absl::OkStatus();
  }

  template <typename F>
  absl::Status Counted(std::vector<int64_t>* started, const F& f) {
    CountStarted();
    const absl::Status status = f();
    started->push_back(CountStarted());
    return status;
  }

  // Exchanges begun since the last call. Phases of a group sum, which begin whenever the one before
  // has ended, count as one.
  int64_t CountStarted() {
    int64_t count = 0;
    for (const ExchangeRecord& record : comm_->recorder().Records()) {
      if (record.traffic != Traffic::kTraining) continue;
      count += started_.emplace(record.key.stream, record.key.round, record.key.bucket).second;
    }
    return count;
  }

  // The gradient at x as it is now; each bucket's appears just before the bucket is ready.
  absl::Status ForwardBackward(const StepInfo& info) {
    const std::vector<T> x_then(x().begin(), x().end());
    std::vector<T> gradient(layout_.size);
    ForEachParameter([&](int64_t k, int64_t at) {
      const auto& objective = run_.objective;
      gradient[at] = static_cast<T>(objective.curvature[comm_->rank()][k]) *
                     (x_then[at] - static_cast<T>(objective.center[comm_->rank()][k]));
    });
    for (T& value : g()) value = std::numeric_limits<T>::quiet_NaN();
    for (size_t b = 0; b < layout_.buckets.size(); ++b) {
      const Range& range = layout_.buckets[b];
      const int64_t bytes = range.count * SizeOf(kType);
      EXPECT_EQ(std::memcmp(&x()[range.offset], &x_then[range.offset], bytes), 0)
          << "x has changed while the model reads it";
      std::memcpy(&g()[range.offset], &gradient[range.offset], bytes);
      RETURN_IF_ERROR(algorithm_->OnBucketReady(info, static_cast<int>(b)));
    }
    return absl::OkStatus();
  }

  // The average model, with sums over all workers that run while nothing else may move.
  absl::Status Average(int64_t step) {
    RETURN_IF_ERROR(algorithm_->Quiesce());
    const std::vector<T> before(x().begin(), x().end());
    Arena numerator(layout_.size, kType), weight(1, DType::kF64);
    RETURN_IF_ERROR(algorithm_->Estimate(numerator.buffer(), &weight.buffer().as<double>()[0]));
    const std::vector<int> living = members().living();
    ExchangeOptions measurement;
    measurement.traffic = Traffic::kMeasurement;
    uint16_t stream = 60000;
    for (const Buffer& values : {numerator.buffer(), weight.buffer()}) {
      ASSIGN_OR_RETURN(auto work,
                       comm_->AllReduceSum(living, {stream++, step, 0, 0}, values, measurement));
      RETURN_IF_ERROR(work->Wait());
    }
    EXPECT_EQ(absl::MakeConstSpan(before), x()) << "x has moved after Quiesce";
    result_->average.clear();
    ForEachParameter([&](int64_t, int64_t at) {
      result_->average.push_back(numerator.buffer().as<T>()[at] / weight.buffer().as<double>()[0]);
    });
    return absl::OkStatus();
  }

  // As after a crash: only x and what VisitState shows survives.
  absl::Status Restart() {
    RETURN_IF_ERROR(algorithm_->Quiesce());
    SavedState of_algorithm(layout_), of_optimizer(layout_);
    RETURN_IF_ERROR(algorithm_->VisitState(&of_algorithm));
    RETURN_IF_ERROR(optimizer_->VisitState(&of_optimizer));
    algorithm_.reset();
    RETURN_IF_ERROR(Start());
    if (epoch_ > 0) RETURN_IF_ERROR(algorithm_->OnMembership(members()));
    of_algorithm.StartLoading();
    of_optimizer.StartLoading();
    RETURN_IF_ERROR(algorithm_->VisitState(&of_algorithm));
    return optimizer_->VisitState(&of_optimizer);
  }

  const TestRun& run_;
  const std::vector<Membership>& memberships_;
  size_t epoch_ = 0;
  Communicator* comm_;
  WorkerResult* result_;
  Layout layout_;
  Arena x_, g_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Algorithm> algorithm_;
  Worker worker_;
  std::set<std::tuple<uint16_t, int64_t, int32_t>> started_;  // exchanges: stream, round, bucket
};

void Add(const std::vector<int64_t>& from, std::vector<int64_t>* to) {
  to->resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) (*to)[i] += from[i];
}

}  // namespace

absl::StatusOr<TestRunResult> Train(const TestRun& run) {
  std::vector<WorkerResult> workers(run.workers());
  std::vector<std::shared_ptr<const Topology>> owned;
  const std::vector<Membership> memberships = MembershipsOf(run, &owned);
  const auto body = [&](Communicator* comm) {
    WorkerResult* result = &workers[comm->rank()];
    return run.type == DType::kF32 ? TestTrainer<float>(run, &memberships, comm, result).Run()
                                   : TestTrainer<double>(run, &memberships, comm, result).Run();
  };
  RETURN_IF_ERROR(RunWorkers(run.workers(), /*workers_per_node=*/2, body));
  TestRunResult result;
  size_t changes = 0;  // that came before the end
  while (changes < run.changes.size() && run.changes[changes].step < run.steps) ++changes;
  const Membership& last = memberships[changes];
  result.average = workers[last.living()[0]].average;
  result.facts = workers[0].facts;
  for (WorkerResult& worker : workers) {
    const bool alive = last.alive[&worker - workers.data()];
    EXPECT_TRUE(!alive || worker.average == result.average) << "workers disagree on the average";
    Add(worker.started_in_begin, &result.started_in_begin);
    Add(worker.started_in_ready, &result.started_in_ready);
    Add(worker.started_in_end, &result.started_in_end);
    result.bytes_sent += worker.bytes_sent;
    result.x.push_back(std::move(worker.x));
  }
  return result;
}

}  // namespace starling
