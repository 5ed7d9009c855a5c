// What our engine costs: a step of one worker in a real run (threads, world 1, files written)
// against the same net in the same LibTorch in a bare loop of forward, backward, torch::optim::Adam
// and gradients to none. Both read their batches from the same data set, see the same ones and
// start alike; the losses of the first steps must agree. Runs of both take turns in one process.
//
//   ./bazelw run //tests/benchmarks:throughput_benchmark -- [--config=FILE] [PATH=VALUE ...]
//
// FILE is an experiment and PATH=VALUE changes it as --set does; of it the model, the data set and
// the batch of one worker are used, its mixed precision left out. --device=cuda:0 compares on a
// GPU.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/buffer.h"
#include "core/config/text.h"
#include "core/cpu_level.h"
#include "core/random/random.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "data/dataset.h"
#include "experiments/plan.h"
#include "experiments/run.h"
#include "gflags/gflags.h"
#include "models/torch/bare_loop.h"
#include "optim/accum_adam/benchmark_step.h"

DEFINE_string(config, "", "experiment whose model, data set and batch are used");
DEFINE_string(device, "cpu", "where both loops compute: cpu or cuda:0");
DEFINE_int32(steps, 60, "steps of one run");
DEFINE_int32(warm_up, 10, "of them, steps that are not timed");
DEFINE_int32(repetitions, 9, "runs of either loop");
DEFINE_int32(compared_steps, 5, "of a first run, whose losses must agree");

namespace starling {
namespace {

constexpr char kDefault[] = R"(
  model { name: "convnet" }
  dataset { name: "fashion_mnist" }
  train { local_batch_size: 32 })";

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Notes when each training batch is asked for: from one to the next is a step, all told. Has few
// examples to evaluate.
class TimedData final : public Dataset {
 public:
  struct Asked {
    double seconds;
    std::vector<int64_t> examples;
    uint64_t stream;
  };

  explicit TimedData(std::shared_ptr<const Dataset> data) : data_(std::move(data)) {}

  const DataSpec& spec() const override { return data_->spec(); }
  int64_t size(Split split) const override {
    return split == Split::kTrain ? data_->size(split) : std::min<int64_t>(data_->size(split), 8);
  }
  uint64_t fingerprint() const override { return data_->fingerprint(); }
  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t stream,
                    Batch* out) const override {
    if (split == Split::kTrain) {
      asked_.push_back({Seconds(), {examples.begin(), examples.end()}, stream});
    }
    return data_->Read(split, examples, stream, out);
  }
  absl::Span<const int32_t> labels(Split split) const override {
    const auto labels = data_->labels(split);
    return labels.first(std::min<size_t>(labels.size(), static_cast<size_t>(size(split))));
  }
  int64_t cost(Split split, int64_t example) const override { return data_->cost(split, example); }

  // Of the run so far; there is one reader.
  std::vector<Asked> TakeAsked() const { return std::exchange(asked_, {}); }

 private:
  const std::shared_ptr<const Dataset> data_;
  mutable std::vector<Asked> asked_;
};

// The experiment for one worker that is timed.
Experiment ConfigOf(int argc, char** argv) {
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  std::string text = kDefault;
  if (!FLAGS_config.empty()) {
    auto contents = ReadFile(UserPath(FLAGS_config));
    CHECK_OK(contents);
    text = *contents;
  }
  CHECK_OK(ParseText(text, FLAGS_config, &config, &locations));
  for (int i = 1; i < argc; ++i) CHECK_OK(SetField(&config, argv[i], &notes));
  Experiment timed;
  *timed.mutable_model() = config.model();
  *timed.mutable_dataset() = config.dataset();
  timed.set_workers(1);
  timed.set_workers_per_node(1);
  const std::string threads =
      absl::StrCat("backend={name: 'threads' config {device: '", FLAGS_device, "'}}");
  CHECK_OK(SetField(&timed, threads, &notes));
  timed.mutable_topology()->set_name("ring");
  timed.mutable_optimizer()->set_name("adam");
  timed.mutable_schedule()->set_name("constant");
  Train* train = timed.mutable_train();
  train->set_local_batch_size(config.train().has_local_batch_size()
                                  ? config.train().local_batch_size()
                                  : config.train().global_batch_size() / config.workers());
  train->set_max_steps(FLAGS_steps);
  train->set_eval_every_steps(0);
  CHECK_OK(ResolveExperiment(locations, &timed, &notes));
  return timed;
}

// Milliseconds per step from times at which steps began.
double Milliseconds(const std::vector<double>& begins) {
  const size_t warm = static_cast<size_t>(FLAGS_warm_up);
  CHECK_GT(begins.size(), warm + 1);
  return (begins.back() - begins[warm]) / static_cast<double>(begins.size() - 1 - warm) * 1e3;
}

// The engine and the bare loop, one after the other.
struct Turn {
  std::vector<double> engine_begins, bare_begins;  // of steps
  double engine_loss = 0, bare_loss = 0;           // mean over the steps
};

Turn TakeTurn(const Plan& plan, const TimedData& data) {
  auto backend = MakeBackend(plan, /*cores=*/1);
  CHECK_OK(backend);
  auto directory = RunDirectory::Create(absl::StrCat(NewDirectory(), "/run"));
  CHECK_OK(directory);
  Progress progress(stderr, /*live=*/false);
  RunOptions options;
  options.progress = &progress;
  const auto result = RunTraining(plan, backend->get(), directory->get(), options);
  CHECK_OK(result);
  const auto asked = data.TakeAsked();
  Turn turn;
  turn.engine_loss = result->train_loss;
  for (const auto& step : asked) turn.engine_begins.push_back(step.seconds);

  const uint64_t seed = plan.config.seed();
  auto parts = MakeWorkerParts(plan, 0, &WallClock());
  CHECK_OK(parts);
  auto bare =
      BareLoop::Create(std::move(parts->model), StreamKey(seed, Purpose::kInitialization, 0, 0),
                       FLAGS_device == "cpu" ? Place::kHost : Place::kDevice);
  CHECK_OK(bare);
  Batch batch;
  for (size_t step = 0; step < asked.size(); ++step) {
    turn.bare_begins.push_back(Seconds());
    CHECK_OK(data.Read(Split::kTrain, asked[step].examples, asked[step].stream, &batch));
    const uint64_t stream = StreamKey(seed, Purpose::kDropout, 0, static_cast<int64_t>(step));
    turn.bare_loss += (*bare)->Step(batch, stream) / static_cast<double>(asked.size());
  }
  data.TakeAsked();
  return turn;
}

// Takes so many turns of so many steps.
std::vector<Turn> TakeTurns(Experiment config, int turns, int steps) {
  config.mutable_train()->set_max_steps(steps);
  auto plan = MakePlan(config, {});
  CHECK_OK(plan);
  auto timed = std::make_unique<TimedData>(std::move((*plan)->dataset));
  const TimedData& data = *timed;
  (*plan)->dataset = std::move(timed);
  std::vector<Turn> taken;
  for (int turn = 0; turn < turns; ++turn) taken.push_back(TakeTurn(**plan, data));
  return taken;
}

void Run(const Experiment& config) {
  // Later on roundings drive the two apart, soonest where batches are normalized.
  const Turn compared = TakeTurns(config, 1, FLAGS_compared_steps)[0];
  CHECK_LT(std::abs(compared.bare_loss - compared.engine_loss), 1e-4 * compared.bare_loss)
      << "the two do not compute the same: " << compared.bare_loss << " and "
      << compared.engine_loss;
  std::vector<double> engine_ms, bare_ms, ratios;
  std::printf("%s, batch %ld\n\n%10s %10s %8s\n", config.model().name().c_str(),
              static_cast<long>(config.train().local_batch_size()), "engine ms", "bare ms",
              "ratio");
  for (const Turn& turn : TakeTurns(config, FLAGS_repetitions, FLAGS_steps)) {
    engine_ms.push_back(Milliseconds(turn.engine_begins));
    bare_ms.push_back(Milliseconds(turn.bare_begins));
    ratios.push_back(bare_ms.back() / engine_ms.back());
    std::printf("%10.3f %10.3f %8.4f\n", engine_ms.back(), bare_ms.back(), ratios.back());
  }
  const double engine_best = *std::min_element(engine_ms.begin(), engine_ms.end());
  const double bare_best = *std::min_element(bare_ms.begin(), bare_ms.end());
  std::printf(
      "\nthroughput of the engine as a share of bare: %.4f (median of the ratios), "
      "%.4f (of the fastest runs, %.3f and %.3f ms)\n",
      Median(ratios), bare_best / engine_best, engine_best, bare_best);
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  CHECK_OK(starling::FixCpuLevel("native", argv));
  google::InitGoogleLogging(argv[0]);
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  starling::Run(starling::ConfigOf(argc, argv));
}
