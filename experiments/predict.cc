#include "experiments/predict.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/buffer.h"
#include "core/config/resolve.h"
#include "core/plugin_table.h"
#include "core/registry.h"
#include "core/status.h"
#include "experiments/plan.h"

namespace starling {
namespace {

// The algorithms `name`, once for each value of an enum called "order" in its config.
std::vector<std::pair<std::string, PluginRef>> Orders(const std::string& name,
                                                      const PluginRef& configured) {
  PluginRef ref;
  ref.set_name(name);
  if (configured.name() == name) ref = configured;
  std::vector<std::pair<std::string, PluginRef>> orders = {{name, ref}};
  const auto info = PluginTable::Global().Get(Algorithm::kKind, name);
  CHECK_OK(info.status());
  const auto config = ResolvedConfig(**info, ref);
  if (!config.ok()) return orders;  // Create will say why
  const auto* field = (*config)->GetDescriptor()->FindFieldByName("order");
  if (field == nullptr || field->enum_type() == nullptr) return orders;
  const auto& reflection = *(*config)->GetReflection();
  const int own = reflection.GetEnumValue(**config, field);
  for (int v = 0; v < field->enum_type()->value_count(); ++v) {
    const auto* value = field->enum_type()->value(v);
    if (value->number() == own) continue;
    reflection.SetEnum(config->get(), field, value);
    ref.mutable_config()->PackFrom(**config);
    orders.emplace_back(absl::StrCat(name, "(", value->name(), ")"), ref);
  }
  return orders;
}

struct NamedTopology {
  PluginRef ref;
  std::shared_ptr<const Topology> made;
};

std::vector<NamedTopology> MakeTopologies(const PredictionInput& input,
                                          std::vector<std::string>* left_out) {
  std::vector<NamedTopology> topologies;
  for (const std::string& name : Registry<Topology>::Global().Names()) {
    PluginRef ref;
    ref.set_name(name);
    if (input.config.topology().name() == name) ref = input.config.topology();
    auto made = Registry<Topology>::Global().Create(
        ref, {input.workers, input.cluster.workers_per_node(), input.config.seed()});
    if (made.ok()) {
      topologies.push_back({ref, *std::move(made)});
    } else {
      left_out->push_back(absl::StrCat("topology ", name, ": ", made.status().message()));
    }
  }
  return topologies;
}

// An algorithm's configs by the names of its orders.
using Refs = std::vector<std::pair<std::string, PluginRef>>;

void AddCandidates(const PredictionInput& input, const std::string& name, const Refs& orders,
                   const std::vector<NamedTopology>& topologies, Candidates* result) {
  std::map<std::string, std::set<std::string>> unfit;  // what is needed -> topologies
  for (const auto& [label, ref] : orders) {
    const auto facts = FactsOf(ref);
    if (!facts.ok()) {
      result->left_out.push_back(absl::StrCat("algorithm ", label, ": ", facts.status().message()));
      continue;
    }
    const ExchangePlan plan =
        ExchangePlanOf(*facts, input.config.mixing(), BytesFactor(input.config));
    if (!facts->needs_topology) {
      result->legal.push_back({label, "none", plan, nullptr});
      continue;
    }
    Experiment config = input.config;
    *config.mutable_algorithm() = ref;
    for (const NamedTopology& topology : topologies) {
      *config.mutable_topology() = topology.ref;
      const std::vector<Misfit> misfits = MisfitsOf(*facts, *topology.made, config);
      if (misfits.empty()) {
        result->legal.push_back({label, topology.ref.name(), plan, topology.made});
      } else {
        unfit[misfits[0].needed].insert(topology.ref.name());
      }
    }
  }
  for (const auto& [needed, names] : unfit) {
    result->left_out.push_back(absl::StrCat(
        "algorithm ", name, " over ", absl::StrJoin(names, ", "), ": it needs weights ", needed));
  }
}

// Everything of a plan and a topology that times depend on.
auto KeyOf(const Candidate& candidate) {
  const ExchangePlan& p = candidate.plan;
  return std::make_tuple(candidate.made.get(), p.launch, p.needed, p.needed_steps_later,
                         p.exchange_every, p.overlap, p.everyone, p.gradients, p.groups_as_edges,
                         p.bytes_factor);
}

}  // namespace

ExchangePlan ExchangePlanOf(const AlgorithmFacts& facts, const Mixing& mixing,
                            double bytes_factor) {
  ExchangePlan plan;
  switch (facts.launch) {
    case AlgorithmFacts::Launch::kNever:
      return plan;
    case AlgorithmFacts::Launch::kStepBegin:
      plan.launch = ExchangePlan::Launch::kStepBegin;
      break;
    case AlgorithmFacts::Launch::kBucketReady:
      plan.launch = ExchangePlan::Launch::kBucketReady;
      break;
  }
  const int every = std::max(1, mixing.every_steps());
  const bool at_bucket = facts.needed == AlgorithmFacts::Needed::kBucketReady;
  plan.needed = at_bucket ? ExchangePlan::Needed::kBucketReady : ExchangePlan::Needed::kStepEnd;
  plan.exchange_every = facts.exchange_every * every;
  // What a bucket's update waits for was launched one step before, whether or not the steps in
  // between mix; else one mixing later is so many steps later.
  plan.needed_steps_later = facts.needed_steps_later;
  if (plan.needed_steps_later > 0) {
    plan.needed_steps_later =
        at_bucket ? 1 + (facts.needed_steps_later - 1) * every : facts.needed_steps_later * every;
  }
  plan.needed_steps_later += mixing.staleness() * every;
  plan.overlap = mixing.overlap();
  if (!plan.overlap && plan.needed_steps_later > 0) {
    // Waited for when the next step begins.
    plan.launch = ExchangePlan::Launch::kStepEnd;
    plan.needed = ExchangePlan::Needed::kStepEnd;
    plan.needed_steps_later = 0;
  }
  plan.everyone = !facts.needs_topology;
  plan.gradients = facts.equals_mean_gradient;
  plan.groups_as_edges = facts.groups_as_edges;
  plan.bytes_factor = facts.vectors_per_message * bytes_factor;
  return plan;
}

double BytesFactor(const Experiment& config) {
  const DType dtype = config.train().dtype() == Train::F64 ? DType::kF64 : DType::kF32;
  return static_cast<double>(SizeOf(PrecisionOf(config.mixing()).value_or(dtype))) /
         static_cast<double>(SizeOf(dtype));
}

Candidates AllCandidates(const PredictionInput& input) {
  Candidates result;
  const std::vector<NamedTopology> topologies = MakeTopologies(input, &result.left_out);
  for (const std::string& name : Registry<Algorithm>::Global().Names()) {
    AddCandidates(input, name, Orders(name, input.config.algorithm()), topologies, &result);
  }
  return result;
}

Candidates CandidatesOf(const PredictionInput& input, const std::string& algorithm) {
  Candidates result;
  const std::vector<NamedTopology> topologies = MakeTopologies(input, &result.left_out);
  auto orders = Orders(algorithm, input.config.algorithm());
  orders.resize(1);
  AddCandidates(input, algorithm, orders, topologies, &result);
  return result;
}

absl::StatusOr<PredictionTable> PredictAll(const PredictionInput& input,
                                           const std::vector<Candidate>& candidates,
                                           const PredictionOptions& options) {
  ASSIGN_OR_RETURN(const RuntimeModel model,
                   RuntimeModel::Create(input.cluster, input.model, input.workers, options));
  PredictionTable table;
  ExchangePlan all_reduce = AllReducePlan();
  all_reduce.bytes_factor = BytesFactor(input.config);
  all_reduce.overlap = input.config.mixing().overlap();
  table.all_reduce = model.Predict(all_reduce, nullptr);
  const ExchangePlan none;
  table.bound_ms = model.Predict(none, nullptr).mean_ms;
  table.most_speedup = table.all_reduce.mean_ms / table.bound_ms;
  std::map<decltype(KeyOf(candidates[0])), StepPrediction> known;
  for (const Candidate& candidate : candidates) {
    const auto [found, inserted] = known.try_emplace(KeyOf(candidate));
    if (inserted) found->second = model.Predict(candidate.plan, candidate.made.get());
    const StepPrediction& step = found->second;
    table.rows.push_back(
        {candidate.topology, candidate.algorithm, step, table.all_reduce.mean_ms / step.mean_ms});
  }
  std::stable_sort(
      table.rows.begin(), table.rows.end(),
      [](const PredictedRow& a, const PredictedRow& b) { return a.step.mean_ms < b.step.mean_ms; });
  return table;
}

PredictionOptions OptionsFor(int workers, uint64_t seed) {
  PredictionOptions options;
  options.seed = seed;
  options.steps = std::clamp<int64_t>(200'000 / workers, 400, 2000);
  options.warmup_steps = options.steps / 10;
  return options;
}

}  // namespace starling
