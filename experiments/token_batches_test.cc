// Plans whose batches are counted in tokens.
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/status.h"
#include "data/dataset.h"
#include "experiments/plan.h"
#include "google/protobuf/empty.pb.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::google::protobuf::Empty;

// 120 sentences of 1 to 6 tokens.
class Sentences final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const Empty&, const Context&) {
    return std::make_unique<Sentences>();
  }
  Sentences() { spec_.vocabulary = 10; }
  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return split == Split::kTrain ? 120 : 0; }
  uint64_t fingerprint() const override { return 0; }
  absl::Status Read(Split, absl::Span<const int64_t>, uint64_t, Batch*) const override {
    return absl::OkStatus();
  }
  absl::Span<const int32_t> labels(Split) const override { return {}; }
  int64_t cost(Split, int64_t example) const override { return 1 + example % 6; }

 private:
  DataSpec spec_;
};
STARLING_REGISTER_PLUGIN(Dataset, Sentences, Empty, PluginFacts{"sentences", "for tests"});

absl::StatusOr<std::unique_ptr<Plan>> PlanOf(const std::string& train,
                                             const std::string& dataset = "sentences") {
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  RETURN_IF_ERROR(ParseText(absl::StrCat("workers: 4 algorithm { name: \"allreduce\" }\n",
                                         "model { name: \"quadratic\" }\n", "dataset { name: \"",
                                         dataset, "\" }\ntrain { epochs: 2 ", train, " }\n"),
                            "e.txt", &config, &locations));
  RETURN_IF_ERROR(ResolveExperiment(locations, &config, &notes));
  return MakePlan(config, locations);
}

std::string Problem(const std::string& train, const std::string& dataset = "sentences") {
  const auto plan = PlanOf(train, dataset);
  EXPECT_TRUE(absl::IsInvalidArgument(plan.status())) << plan.status();
  return std::string(plan.status().message());
}

// 20 sentences of each length in batches of up to 12 tokens: 420 tokens make at least 35 batches.
TEST(TokenBatchesTest, AnEpochIsTheBatchesOfAllWorkers) {
  const auto plan = PlanOf("global_batch_tokens: 50");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->local_batch_tokens, 12);
  EXPECT_EQ((*plan)->local_batch_size, 0);
  const int64_t steps = (*plan)->steps_per_epoch;
  EXPECT_GE(steps, 35 / 4);
  EXPECT_LE(steps, 44 / 4);
  EXPECT_EQ((*plan)->steps, 2 * steps);
  EXPECT_DOUBLE_EQ((*plan)->examples_per_step(), 120.0 / static_cast<double>(steps));
  std::set<int64_t> seen;
  int64_t read = 0;
  for (int worker = 0; worker < 4; ++worker) {
    const auto sampler = MakeSampler(**plan, worker);
    for (int64_t step = 0; step < steps; ++step) {
      int64_t tokens = 0;
      for (int64_t id : sampler->Next(step)) {
        tokens += 1 + id % 6;
        seen.insert(id);
        ++read;
      }
      EXPECT_LE(tokens, 12);
    }
  }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), read);
  EXPECT_GT(read, 100);
  EXPECT_NE(PlanText(**plan).find("steps of up to 48 tokens (12 per worker)"), std::string::npos)
      << PlanText(**plan);
  EXPECT_EQ(PlanOf("local_batch_tokens: 12").value()->steps_per_epoch, steps);
}

TEST(TokenBatchesTest, SaysWhatDoesNotFit) {
  EXPECT_EQ(Problem("global_batch_tokens: 50 global_batch_size: 8"),
            "e.txt:4:40: train.global_batch_tokens and train.global_batch_size are both given; one "
            "of them says how large a batch is");
  EXPECT_EQ(Problem("local_batch_tokens: 12 local_batch_size: 2"),
            "e.txt:4:39: train.local_batch_tokens and train.local_batch_size are both given; one "
            "of them says how large a batch is");
  EXPECT_EQ(Problem("local_batch_tokens: 12 global_batch_tokens: 48"),
            "e.txt:4:63: train.global_batch_tokens and train.local_batch_tokens are both given; "
            "one of them says how large a batch is");
  EXPECT_EQ(Problem("local_batch_tokens: 12 micro_batches: 2"),
            "e.txt:4:57: train.micro_batches is 2, but batches by tokens are not divided: it must "
            "be 1; fewer tokens per batch take less memory");
  EXPECT_EQ(Problem("global_batch_tokens: 23"),
            "e.txt:4:40: train: a training example of \"sentences\" has 6 tokens, more than the 5 "
            "of a worker's batch; give train.global_batch_tokens at least 24");
  EXPECT_EQ(Problem("local_batch_tokens: 200"),
            "e.txt:4:39: train: the training examples of \"sentences\" make fewer batches of up to "
            "200 tokens than there are workers, 4");
  EXPECT_EQ(Problem("local_batch_tokens: 12", "no_data"),
            "e.txt:4:39: train.local_batch_tokens counts tokens, and \"no_data\" has none; use "
            "train.global_batch_size");
}

}  // namespace
}  // namespace starling
