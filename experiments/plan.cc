#include "experiments/plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "core/config/resolve.h"
#include "core/registry.h"
#include "core/status.h"
#include "experiments/batches.h"
#include "experiments/simulated_parts.h"
#include "topology/analysis.h"

namespace starling {
namespace {

void Add(std::vector<Problem>* problems, absl::string_view path, std::string message) {
  problems->push_back({std::string(path), std::move(message)});
}

void CheckWorld(const Experiment& config, std::vector<Problem>* problems) {
  if (config.workers_per_node() <= config.workers()) return;
  Add(problems, "workers_per_node",
      absl::StrCat("workers_per_node is ", config.workers_per_node(), ", but workers is only ",
                   config.workers(), "; it must be at most ", config.workers()));
}

void CheckLength(const Train& train, std::vector<Problem>* problems) {
  if (train.has_epochs() || train.has_max_steps()) return;
  Add(problems, "train",
      "train.epochs and train.max_steps are both missing; give one, e.g. train { epochs: 2 }");
}

}  // namespace

std::optional<DType> PrecisionOf(const Mixing& mixing) {
  switch (mixing.precision()) {
    case Mixing::F32:
      return DType::kF32;
    case Mixing::F64:
      return DType::kF64;
    case Mixing::F16:
      return DType::kF16;
    case Mixing::BF16:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

absl::StatusOr<AlgorithmFacts> FactsOf(const PluginRef& algorithm) {
  ASSIGN_OR_RETURN(auto made, Registry<Algorithm>::Global().Create(algorithm, {}));
  return made->facts();
}

namespace {

void CheckMixing(const Experiment& config, const AlgorithmFacts& facts,
                 std::vector<Problem>* problems) {
  const Mixing& mixing = config.mixing();
  if (mixing.staleness() != 0 && !facts.takes_staleness) {
    Add(problems, "mixing.staleness",
        absl::StrCat("mixing.staleness is ", mixing.staleness(), "; algorithm \"",
                     config.algorithm().name(), "\" as configured mixes no stale values: it must ",
                     "be 0"));
  }
  if (config.train().continue_from_average() && !facts.takes_new_parameters) {
    Add(problems, "train.continue_from_average",
        absl::StrCat(
            "train.continue_from_average is true; algorithm \"", config.algorithm().name(), "\" ",
            facts.equals_mean_gradient ? "keeps the workers equal anyway"
                                       : "keeps state that belongs to each worker's own parameters",
            ": it must be false"));
  }
  const bool f64 = config.train().dtype() == Train::F64;
  if (!f64 && mixing.precision() == Mixing::F64) {
    Add(problems, "mixing.precision",
        "mixing.precision is F64, but there is no more than train.dtype F32 to exchange; it must "
        "be SAME, F32, F16 or BF16");
  }
  if (config.compression().name() != "none") {
    Add(problems, "compression.name",
        absl::StrCat("compression.name is \"", config.compression().name(),
                     "\"; this build has: none"));
  }
}

// Drops what has no use; says so.
void DropUnused(const AlgorithmFacts& facts, Experiment* config, std::vector<std::string>* notes) {
  Train* train = config->mutable_train();
  if (train->grad_clip_norm() == 0 && train->grad_clip_per() != Train::GLOBAL) {
    notes->push_back(
        "without train.grad_clip_norm nothing is clipped: train.grad_clip_per BUCKET "
        "is dropped");
    train->set_grad_clip_per(Train::GLOBAL);
  }
  if (facts.needs_topology) return;
  const std::string algorithm = absl::StrCat("algorithm \"", config->algorithm().name(), "\"");
  if (config->has_topology()) {
    notes->push_back(absl::StrCat(algorithm, " takes no topology: \"", config->topology().name(),
                                  "\" is dropped"));
    config->clear_topology();
  }
  Mixing* mixing = config->mutable_mixing();
  if (mixing->every_steps() != 1) {
    notes->push_back(absl::StrCat(algorithm, " does not mix: mixing.every_steps ",
                                  mixing->every_steps(), " is dropped"));
    mixing->set_every_steps(1);
  }
  if (mixing->gamma() != 1) {
    notes->push_back(
        absl::StrCat(algorithm, " does not mix: mixing.gamma ", mixing->gamma(), " is dropped"));
    mixing->set_gamma(1);
  }
}

// Adds to an error the field it belongs to, and where that came from.
class In {
 public:
  In(const TextLocations& locations, absl::string_view field)
      : context_(absl::StrCat(locations.Find(field), locations.Find(field).empty() ? "" : ": ",
                              field)) {}

  template <typename T>
  absl::StatusOr<T> operator()(absl::StatusOr<T> value) const {
    if (!value.ok()) return WithContext(value.status(), context_);
    return value;
  }

 private:
  std::string context_;
};

absl::StatusOr<std::unique_ptr<Model>> MakeModel(const Plan& plan, int worker, Clock* clock,
                                                 Place place, const TextLocations& locations) {
  const Experiment& config = plan.config;
  Model::Context context;
  context.data = &plan.dataset->spec();
  context.dtype = plan.dtype;
  context.bucket_bytes =
      std::max<int64_t>(1, std::llround(config.train().bucket_mb() * (int64_t{1} << 20)));
  context.place = place;
  context.worker = worker;
  context.workers = config.workers();
  context.seed = config.seed();
  context.clock = clock;
  if (config.train().autocast() == Train::BF16) context.autocast = DType::kBF16;
  if (config.train().autocast() == Train::F16) context.autocast = DType::kF16;
  context.deterministic = config.train().deterministic();
  return In(locations, "model")(Registry<Model>::Global().Create(config.model(), context));
}

// Makes the optimizer and the algorithm.
absl::Status MakeRules(const Plan& plan, const TextLocations& locations, WorkerParts* parts) {
  ASSIGN_OR_RETURN(parts->optimizer,
                   In(locations, "optimizer")(
                       Registry<Optimizer>::Global().Create(plan.config.optimizer(), {})));
  ASSIGN_OR_RETURN(parts->algorithm,
                   In(locations, "algorithm")(
                       Registry<Algorithm>::Global().Create(plan.config.algorithm(), {})));
  return absl::OkStatus();
}

absl::StatusOr<WorkerParts> MakeParts(const Plan& plan, int worker, Clock* clock,
                                      const TextLocations& locations) {
  WorkerParts parts;
  ASSIGN_OR_RETURN(parts.model, MakeModel(plan, worker, clock, Place::kHost, locations));
  RETURN_IF_ERROR(MakeRules(plan, locations, &parts));
  return parts;
}

// How many steps `train` asks for.
int64_t StepsOf(const Train& train, int64_t steps_per_epoch) {
  const int64_t steps = train.has_max_steps() ? train.max_steps() : INT64_MAX;
  if (!train.has_epochs()) return steps;
  // A part of a step counts as one, but not the rounding error of 1.1 * 10.
  const double by_epochs =
      std::ceil(train.epochs() * static_cast<double>(steps_per_epoch) * (1 - 1e-12));
  // Compared as doubles: infinitely many epochs are legal, and no integer holds them.
  return by_epochs < static_cast<double>(steps) ? static_cast<int64_t>(by_epochs) : steps;
}

}  // namespace

std::vector<Misfit> MisfitsOf(const AlgorithmFacts& needs, const Topology& topology,
                              const Experiment& config) {
  const TopologyFacts facts = topology.facts();
  const Mixing& mixing = config.mixing();
  const std::string name = absl::StrCat("\"", config.topology().name(), "\"");
  const std::string algorithm =
      absl::StrCat("algorithm \"", config.algorithm().name(), "\" needs weights ");
  std::vector<Misfit> misfits;
  const auto refuse = [&](const std::string& needed, absl::string_view found_and_instead) {
    misfits.push_back({{"topology", absl::StrCat("topology: ", algorithm, needed, "; those of ",
                                                 name, found_and_instead)},
                       needed});
  };
  // Plain mixing would let the average drift; push-sum conserves it if the columns sum to one.
  if (!facts.columns_sum_to_one) {
    refuse(needs.directed_ok ? "whose columns sum to one"
                             : "that are doubly stochastic (rows and columns sum to one)",
           " do not have that: use another topology, e.g. \"exponential\"");
  } else if (!facts.rows_sum_to_one && !needs.directed_ok) {
    refuse("that are doubly stochastic (rows and columns sum to one)",
           " only have columns that do: use algorithm \"sgp\", which takes them");
  }
  constexpr char kStatic[] =
      " are not: use one of \"ring\", \"torus\", \"hypercube\", \"complete\"";
  if (needs.needs_symmetric && !facts.symmetric) refuse("that are symmetric", kStatic);
  if (needs.needs_static && facts.period != 1) refuse("that are equal in all rounds", kStatic);
  if (needs.needs_static && mixing.every_steps() != 1) {
    const std::string needed = "that are equal in all steps";
    misfits.push_back(
        {{"mixing.every_steps", absl::StrCat("mixing.every_steps is ", mixing.every_steps(), "; ",
                                             algorithm, needed, ": it must be 1")},
         needed});
  }
  if (!misfits.empty() || !needs.eigenvalues_above) return misfits;
  const double smallest = SmallestEigenvalue(topology.Round(0));
  // Not what rounding puts above the bound.
  if (1 - mixing.gamma() * (1 - smallest) > *needs.eigenvalues_above + 1e-9) return misfits;
  const std::string needed =
      absl::StrFormat("whose eigenvalues are above %.4f", *needs.eigenvalues_above);
  misfits.push_back(
      {{"mixing.gamma",
        absl::StrFormat("mixing.gamma is %g; %s%s, and with gamma %g the smallest of %s is %.4f: "
                        "use mixing { gamma: 0.5 }",
                        mixing.gamma(), algorithm, needed, mixing.gamma(), name,
                        1 - mixing.gamma() * (1 - smallest))},
       needed});
  return misfits;
}

namespace {

// Old values must not make the differences between workers grow (optim/gossip/gossip.cc). Weights
// that are not symmetric have complex eigenvalues, for which the bound is not known: they pass.
void CheckStaleness(const Plan& plan, std::vector<Problem>* problems) {
  const Mixing& mixing = plan.config.mixing();
  if (mixing.staleness() == 0) return;
  const double bound = 2 * std::sin(std::acos(0.0) / (2 * mixing.staleness() + 1));
  double steepest = 0;  // largest 1 - lambda
  for (const MixingRound& round : PeriodOf(*plan.topology)) {
    if (IsSymmetric(round)) steepest = std::max(steepest, 1 - SmallestEigenvalue(round));
  }
  if (mixing.gamma() * steepest < bound * (1 - 1e-12)) return;
  Add(problems, "mixing.gamma",
      absl::StrCat("mixing.gamma is ", mixing.gamma(), ", with which mixing.staleness ",
                   mixing.staleness(), " over \"", plan.config.topology().name(),
                   "\" drives the workers apart; it must be less than ",
                   absl::StrFormat("%.4g", bound / steepest)));
}

}  // namespace

absl::Status ResolveExperiment(const TextLocations& locations, Experiment* config,
                               std::vector<std::string>* notes) {
  std::vector<Problem> problems;
  ResolveDefaults(config);
  ValidateRules(*config, "", &problems);
  if (config->faults().ByteSizeLong() == 0) config->clear_faults();
  if (!config->has_workers_per_node()) config->set_workers_per_node(config->workers());
  if (config->metric_sink().empty()) {
    for (const PluginInfo* sink : PluginTable::Global().List("metric_sink")) {
      config->add_metric_sink()->set_name(sink->facts.name);
    }
  }
  ResolvePlugins(config, "", &problems);
  for (const char* kind : {"model", "dataset"}) {
    const auto* field = Experiment::descriptor()->FindFieldByName(kind);
    if (!config->GetReflection()->HasField(*config, field)) {
      Add(&problems, kind,
          absl::StrCat(kind, " is missing; `starling list ", kind, "` prints the choice"));
    }
  }
  if (problems.empty()) {
    CheckWorld(*config, &problems);
    CheckLength(config->train(), &problems);
    CheckBatches(*config, &problems);
    ASSIGN_OR_RETURN(const AlgorithmFacts facts, FactsOf(config->algorithm()));
    CheckMixing(*config, facts, &problems);
    CheckFaults(*config, facts, &problems);
    DropUnused(facts, config, notes);
    if (facts.needs_topology && !config->has_topology()) {
      Add(&problems, "topology",
          absl::StrCat("topology is missing, and algorithm \"", config->algorithm().name(),
                       "\" needs one; `starling list topology` prints the choice"));
    }
  }
  return ProblemsStatus(problems, locations);
}

absl::StatusOr<std::unique_ptr<Plan>> MakePlan(const Experiment& config,
                                               const TextLocations& locations) {
  auto plan = std::make_unique<Plan>();
  plan->config = config;
  const Train& train = config.train();
  const int workers = config.workers();
  plan->dtype = train.dtype() == Train::F64 ? DType::kF64 : DType::kF32;
  plan->precision = PrecisionOf(config.mixing());
  ASSIGN_OR_RETURN(plan->facts, In(locations, "algorithm")(FactsOf(config.algorithm())));
  if (plan->facts.needs_topology) {
    ASSIGN_OR_RETURN(plan->topology,
                     In(locations, "topology")(Registry<Topology>::Global().Create(
                         config.topology(), {workers, config.workers_per_node(), config.seed()})));
    std::vector<Problem> problems;
    for (Misfit& misfit : MisfitsOf(plan->facts, *plan->topology, config)) {
      problems.push_back(std::move(misfit.problem));
    }
    if (problems.empty()) CheckStaleness(*plan, &problems);
    RETURN_IF_ERROR(ProblemsStatus(problems, locations));
  }
  ASSIGN_OR_RETURN(plan->eras, In(locations, "faults")(MakeEras(config, plan->topology.get())));
  ASSIGN_OR_RETURN(plan->dataset, In(locations, "dataset")(SharedDataset(config)));
  Partition::Context owners;
  owners.workers = workers;
  owners.seed = config.seed();
  owners.examples = plan->dataset->size(Split::kTrain);
  owners.labels = plan->dataset->labels(Split::kTrain);
  owners.classes = plan->dataset->spec().classes;
  ASSIGN_OR_RETURN(auto partition, In(locations, "partition")(Registry<Partition>::Global().Create(
                                       config.partition(), owners)));
  ASSIGN_OR_RETURN(plan->assignment, In(locations, "partition")(partition->Assign()));

  RETURN_IF_ERROR(PlanBatches(locations, plan.get()));
  plan->steps = StepsOf(train, plan->steps_per_epoch);
  plan->eval_every_steps =
      train.has_eval_every_steps() ? train.eval_every_steps() : plan->steps_per_epoch;
  ASSIGN_OR_RETURN(plan->schedule, In(locations, "schedule")(Registry<Schedule>::Global().Create(
                                       config.schedule(), {plan->steps, plan->steps_per_epoch})));

  // One worker's parts, made now so that what is wrong with them is said before anything runs.
  ASSIGN_OR_RETURN(const WorkerParts parts, MakeParts(*plan, 0, &WallClock(), locations));
  plan->layout = parts.model->layout();
  plan->parameters = plan->layout.parameters();
  plan->buckets = static_cast<int64_t>(plan->layout.buckets.size());
  if (plan->facts.own_local_rule && parts.optimizer->has_momentum()) {
    return ProblemsStatus(
        {{"optimizer", absl::StrCat("optimizer: algorithm \"", config.algorithm().name(),
                                    "\" has a local rule of its own and takes plain sgd, not \"",
                                    config.optimizer().name(), "\" with momentum")}},
        locations);
  }
  return plan;
}

absl::StatusOr<WorkerParts> MakeWorkerParts(const Plan& plan, int worker, Clock* clock) {
  return MakeParts(plan, worker, clock, {});
}

absl::StatusOr<WorkerParts> MakeWorkerParts(const Plan& plan, Communicator* comm) {
  Simulation* simulation = comm->simulation();
  const bool numeric = simulation == nullptr || !simulation->time_only();
  WorkerParts parts;
  if (numeric) {
    ASSIGN_OR_RETURN(parts.model, MakeModel(plan, comm->rank(), &comm->clock(), comm->place(), {}));
  } else {
    const Layout* layout = simulation->layout();
    parts.model = MakeSizesOnlyModel(layout != nullptr ? layout : &plan.layout);
  }
  RETURN_IF_ERROR(MakeRules(plan, {}, &parts));
  if (simulation == nullptr) return parts;
  simulation->SetModel(parts.model->layout(), plan.dtype);
  parts.model = MakeTimedModel(std::move(parts.model), plan.config.train().micro_batches(), comm);
  parts.optimizer = MakeTimedOptimizer(std::move(parts.optimizer), comm);
  return parts;
}

Worker WorkerOf(const Plan& plan, Communicator* comm) {
  Worker worker;
  worker.id = comm->rank();
  worker.count = comm->size();
  worker.seed = plan.config.seed();
  worker.comm = comm;
  worker.topology = plan.topology.get();
  worker.mixing.overlap = plan.config.mixing().overlap();
  worker.mixing.gamma = plan.config.mixing().gamma();
  worker.mixing.staleness = plan.config.mixing().staleness();
  worker.mixing.precision = plan.precision;
  worker.mixing.deadline = absl::Seconds(plan.config.mixing().timeout_seconds());
  return worker;
}

StepInfo StepInfoOf(const Plan& plan, int64_t step, int64_t steps, double lr) {
  const int64_t every = plan.config.mixing().every_steps();
  StepInfo info;
  info.step = step;
  info.mixes = step % every == 0;
  info.round = step / every;
  if (step + 1 < steps && (step + 1) % every == 0 && !ChangesAt(plan.eras, step + 1)) {
    info.next_round = (step + 1) / every;
  }
  info.lr = lr * plan.schedule->Factor(step);
  info.lr_max = lr;
  const Membership& membership = EraOf(plan.eras, step).membership;
  if (membership.epoch > 0) info.alive = &membership;
  return info;
}

std::string PlanText(const Plan& plan) {
  const Experiment& config = plan.config;
  const int nodes = (config.workers() + config.workers_per_node() - 1) / config.workers_per_node();
  std::string text =
      absl::StrCat(config.name(), ": ", config.workers(), " workers on ", nodes,
                   nodes == 1 ? " node" : " nodes", ", backend ", config.backend().name(), "\n");
  const std::string model =
      absl::StrCat("  ", config.model().name(), " (", plan.parameters, " parameters in ",
                   plan.buckets, plan.buckets == 1 ? " bucket" : " buckets", ")");
  const std::string data =
      absl::StrCat(" on ", config.dataset().name(), ", partition ", config.partition().name());
  absl::StrAppend(&text, model, model.size() + data.size() > 80 ? "\n " : "", data, "\n  ",
                  config.algorithm().name(), " + ", config.optimizer().name());
  if (plan.topology != nullptr) {
    const TopologyFacts facts = plan.topology->facts();
    absl::StrAppend(&text, " over ", config.topology().name(), " (period ", facts.period,
                    facts.exact_after > 0 ? absl::StrCat(", exact after ", facts.exact_after) : "",
                    ")");
  }
  const bool by_tokens = plan.local_batch_tokens > 0;
  const int64_t local = by_tokens ? plan.local_batch_tokens : plan.local_batch_size;
  absl::StrAppend(&text, "\n  ", plan.steps, " steps of ", by_tokens ? "up to " : "",
                  local * config.workers(), by_tokens ? " tokens (" : " examples (", local,
                  " per worker), ", plan.steps_per_epoch, " steps per epoch\n");
  absl::StrAppend(&text, FaultsText(config.faults(), plan.eras, plan.steps));
  if (!plan.assignment.shared && plan.dataset->spec().classes > 0) {
    absl::StrAppend(&text, ClassTable(plan.assignment, plan.dataset->labels(Split::kTrain),
                                      plan.dataset->spec().classes, /*max_lines=*/16));
  }
  return text;
}

}  // namespace starling
