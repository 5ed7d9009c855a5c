#include "experiments/batches.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/status.h"
#include "data/token_sampler.h"

namespace starling {
namespace {

// The legal numbers nearest to `value` that `divisor` divides, in words.
std::string NearestMultiples(int64_t value, int64_t divisor) {
  const int64_t below = value / divisor * divisor;
  if (below == 0) return absl::StrCat(divisor);
  return absl::StrCat(below, " or ", below + divisor);
}

void Add(std::vector<Problem>* problems, absl::string_view path, std::string message) {
  problems->push_back({std::string(path), std::move(message)});
}

// Batches by tokens, of which one worker's may be smaller by rounding.
void CheckTokenBatches(const Train& train, std::vector<Problem>* problems) {
  const std::string field =
      train.has_global_batch_tokens() ? "train.global_batch_tokens" : "train.local_batch_tokens";
  const std::pair<bool, const char*> others[] = {
      {train.has_global_batch_size(), "train.global_batch_size"},
      {train.has_local_batch_size(), "train.local_batch_size"},
      {train.has_global_batch_tokens() && train.has_local_batch_tokens(),
       "train.local_batch_tokens"}};
  for (const auto& [given, other] : others) {
    if (!given) continue;
    Add(problems, field,
        absl::StrCat(field, " and ", other, " are both given; one of them says how large a batch ",
                     "is"));
  }
  if (train.micro_batches() == 1) return;
  Add(problems, "train.micro_batches",
      absl::StrCat("train.micro_batches is ", train.micro_batches(), ", but batches by tokens are ",
                   "not divided: it must be 1; fewer tokens per batch take less memory"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Dataset>> SharedDataset(const Experiment& config) {
  static std::mutex mutex;
  static auto* const made = new std::map<std::string, std::weak_ptr<const Dataset>>;
  const std::string key =
      absl::StrCat(PrintText(config.dataset()), config.seed(), " ", config.workers());
  std::lock_guard<std::mutex> lock(mutex);
  std::weak_ptr<const Dataset>& known = (*made)[key];
  if (std::shared_ptr<const Dataset> dataset = known.lock()) return dataset;
  ASSIGN_OR_RETURN(
      std::shared_ptr<const Dataset> dataset,
      Registry<Dataset>::Global().Create(config.dataset(), {config.seed(), config.workers()}));
  known = dataset;
  return dataset;
}

void CheckBatches(const Experiment& config, std::vector<Problem>* problems) {
  const Train& train = config.train();
  const int64_t workers = config.workers();
  if (train.has_global_batch_tokens() || train.has_local_batch_tokens()) {
    CheckTokenBatches(train, problems);
    return;
  }
  if (train.has_global_batch_size() && train.global_batch_size() % workers != 0) {
    Add(problems, "train.global_batch_size",
        absl::StrCat("train.global_batch_size is ", train.global_batch_size(), ", which ", workers,
                     " workers do not divide; nearest: ",
                     NearestMultiples(train.global_batch_size(), workers)));
  } else if (train.has_global_batch_size() && train.has_local_batch_size() &&
             train.global_batch_size() != train.local_batch_size() * workers) {
    Add(problems, "train.global_batch_size",
        absl::StrCat("train.global_batch_size is ", train.global_batch_size(), ", but ", workers,
                     " workers with train.local_batch_size ", train.local_batch_size(), " make ",
                     train.local_batch_size() * workers, "; give only one of the two"));
  }
  if (!train.has_global_batch_size() && !train.has_local_batch_size()) {
    Add(problems, "train",
        "train.global_batch_size and train.local_batch_size are both missing; give one, e.g. "
        "train { global_batch_size: 256 }");
  }
  const int64_t local =
      train.has_local_batch_size() ? train.local_batch_size() : train.global_batch_size() / workers;
  const bool fits = train.has_local_batch_size() || train.global_batch_size() % workers == 0;
  if (fits && local % train.micro_batches() != 0) {
    Add(problems, "train.micro_batches",
        absl::StrCat("train.micro_batches is ", train.micro_batches(),
                     ", which does not divide the ", local, " examples of a worker's batch"));
  }
}

absl::Status PlanBatches(const TextLocations& locations, Plan* plan) {
  const Train& train = plan->config.train();
  const int64_t workers = plan->config.workers();
  const int64_t examples = plan->dataset->size(Split::kTrain);
  const std::string data = absl::StrCat("\"", plan->config.dataset().name(), "\"");
  if (!train.has_global_batch_tokens() && !train.has_local_batch_tokens()) {
    plan->local_batch_size = train.has_local_batch_size() ? train.local_batch_size()
                                                          : train.global_batch_size() / workers;
    plan->steps_per_epoch = examples / (plan->local_batch_size * workers);
    if (plan->steps_per_epoch > 0) return absl::OkStatus();
    const char* field =
        train.has_global_batch_size() ? "train.global_batch_size" : "train.local_batch_size";
    return ProblemsStatus(
        {{field, absl::StrCat("train: a global batch of ", plan->local_batch_size * workers,
                              " is more than the ", examples, " training examples of ", data)}},
        locations);
  }
  const char* field =
      train.has_global_batch_tokens() ? "train.global_batch_tokens" : "train.local_batch_tokens";
  const auto problem = [&](std::string message) {
    return ProblemsStatus({{field, std::move(message)}}, locations);
  };
  if (plan->dataset->spec().vocabulary == 0) {
    return problem(absl::StrCat(field, " counts tokens, and ", data,
                                " has none; use train.global_batch_size"));
  }
  plan->local_batch_tokens = train.has_local_batch_tokens() ? train.local_batch_tokens()
                                                            : train.global_batch_tokens() / workers;
  int64_t longest = 0;
  for (int64_t example = 0; example < examples; ++example) {
    plan->costs.push_back(static_cast<int32_t>(plan->dataset->cost(Split::kTrain, example)));
    longest = std::max<int64_t>(longest, plan->costs.back());
  }
  if (longest > plan->local_batch_tokens) {
    return problem(absl::StrCat("train: a training example of ", data, " has ", longest,
                                " tokens, more than the ", plan->local_batch_tokens,
                                " of a worker's batch; give ", field, " at least ",
                                train.has_local_batch_tokens() ? longest : longest * workers));
  }
  plan->steps_per_epoch = MakeSampler(*plan, 0)->steps_per_epoch();
  if (plan->steps_per_epoch > 0) return absl::OkStatus();
  return problem(absl::StrCat("train: the training examples of ", data,
                              " make fewer batches of up to ", plan->local_batch_tokens,
                              " tokens than there are workers, ", workers));
}

std::unique_ptr<Sampler> MakeSampler(const Plan& plan, int worker) {
  const int workers = plan.config.workers();
  const uint64_t seed = plan.config.seed();
  if (plan.local_batch_tokens > 0) {
    return std::make_unique<TokenSampler>(&plan.assignment, plan.costs, worker, workers,
                                          plan.local_batch_tokens, seed);
  }
  return std::make_unique<ExampleSampler>(&plan.assignment, plan.dataset->size(Split::kTrain),
                                          worker, workers, plan.local_batch_size, seed);
}

}  // namespace starling
