#include "experiments/sweep/expansion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/config/text.h"
#include "core/random/random.h"
#include "core/status.h"
#include "experiments/combination_label.h"
#include "experiments/plan.h"
#include "experiments/sweep/run_id.h"
#include "experiments/verify.h"

namespace starling {
namespace {

// Values of some columns; absent ones are as in the base.
using Point = std::map<std::string, std::string>;

std::string DrawnValue(const Axis& axis, Random* random) {
  if (axis.values_size() > 0) return axis.values(random->Below(axis.values_size()));
  const double at = random->Uniform();
  const double value = axis.log() ? axis.min() * std::pow(axis.max() / axis.min(), at)
                                  : axis.min() + at * (axis.max() - axis.min());
  return absl::StrFormat("%.4g", value);
}

std::vector<Point> Grid(const google::protobuf::RepeatedPtrField<Axis>& axes) {
  std::vector<Point> points = {{}};
  for (const Axis& axis : axes) {
    std::vector<Point> more;
    for (const Point& point : points) {
      for (const std::string& value : axis.values()) {
        more.push_back(point);
        more.back()[axis.path()] = value;
      }
    }
    points = std::move(more);
  }
  return points;
}

std::vector<Point> AxisPoints(const Sweep& sweep) {
  std::vector<Point> points;
  switch (sweep.combine()) {
    case Sweep::ZIP:
      for (int i = 0; i < (sweep.axis().empty() ? 1 : sweep.axis(0).values_size()); ++i) {
        points.emplace_back();
        for (const Axis& axis : sweep.axis()) points.back()[axis.path()] = axis.values(i);
      }
      return points;
    case Sweep::LIST:
      for (const Axis& axis : sweep.axis()) {
        for (const std::string& value : axis.values()) points.push_back({{axis.path(), value}});
      }
      if (points.empty()) points.emplace_back();
      return points;
    case Sweep::RANDOM:
      for (int i = 0; i < sweep.samples(); ++i) {
        Random random(StreamKey(sweep.base().seed(), Purpose::kSweep, /*worker=*/0, /*step=*/i));
        points.emplace_back();
        for (const Axis& axis : sweep.axis()) {
          points.back()[axis.path()] = DrawnValue(axis, &random);
        }
      }
      return points;
    default:
      return Grid(sweep.axis());
  }
}

// Makes combinations and runs of points, one after the other.
class Expander {
 public:
  explicit Expander(const SweepDefinition& definition, std::vector<std::string> columns)
      : definition_(definition), sweep_(definition.sweep) {
    expansion_.columns = std::move(columns);
  }

  // `seeds` are added to the base's.
  absl::Status Add(std::vector<std::string> values, const std::vector<int>& seeds) {
    SweepCombination combination;
    combination.values = std::move(values);
    Experiment config;
    absl::Status status = Assign(&combination, &config);
    std::string reason;
    if (status.ok()) reason = WhyExcluded(config);
    if (status.ok() && reason.empty()) {
      status = ResolveExperiment(definition_.base_locations, &config, &combination.notes);
    }
    uint64_t fingerprint = 0;
    if (status.ok() && reason.empty()) status = Check(config, &fingerprint);
    const std::string point = CombinationLabel(expansion_.columns, combination.values);
    if (!status.ok()) {
      if (!sweep_.drop_illegal() || !absl::IsInvalidArgument(status)) {
        return WithContext(status, point.empty() ? "base" : point);
      }
      reason = std::string(status.message());
    }
    std::vector<SweepRun> runs;
    for (const int seed : seeds) {
      if (!reason.empty()) break;
      SweepRun run;
      run.combination = static_cast<int>(expansion_.combinations.size());
      run.config = config;
      run.seed = config.seed() + seed;
      run.config.set_seed(run.seed);
      run.id = RunId(run.config, fingerprint, combination.assignments);
      const auto [same, is_new] = points_.insert({run.id, point});
      if (!is_new) reason = absl::StrCat("the same run as ", same->second);
      runs.push_back(std::move(run));
    }
    if (!reason.empty()) {
      expansion_.dropped.push_back({std::move(combination.values), std::move(reason)});
      return absl::OkStatus();
    }
    expansion_.combinations.push_back(std::move(combination));
    for (SweepRun& run : runs) expansion_.runs.push_back(std::move(run));
    return absl::OkStatus();
  }

  absl::StatusOr<Expansion> Finish() {
    if (expansion_.runs.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no combination is left; the first was dropped because: ", expansion_.dropped[0].reason));
    }
    return std::move(expansion_);
  }

 private:
  // The base with the values of `combination`, not yet resolved.
  absl::Status Assign(SweepCombination* combination, Experiment* config) {
    *config = sweep_.base();
    config->clear_arm();
    for (size_t i = 0; i < combination->values.size(); ++i) {
      const std::string& column = expansion_.columns[i];
      const std::string& value = combination->values[i];
      if (column != "arm") {
        if (!value.empty()) combination->assignments.push_back(absl::StrCat(column, "=", value));
        continue;
      }
      for (const SweepArm& arm : sweep_.arm()) {
        if (arm.label() != value) continue;
        combination->assignments.insert(combination->assignments.end(), arm.set().begin(),
                                        arm.set().end());
      }
    }
    for (const std::string& assignment : combination->assignments) {
      RETURN_IF_ERROR(SetField(config, assignment, &combination->notes));
    }
    return absl::OkStatus();
  }

  // Empty: it is not. A condition holds if making it true changes nothing.
  std::string WhyExcluded(const Experiment& config) {
    for (const Exclusion& exclusion : sweep_.exclude()) {
      Experiment before = config, after = config;
      std::vector<std::string> notes;
      bool holds = true;
      for (const std::string& when : exclusion.when()) {
        holds = holds && SetField(&after, when, &notes).ok();
      }
      // Defaults count as values.
      holds = holds && ResolveExperiment({}, &before, &notes).ok() &&
              ResolveExperiment({}, &after, &notes).ok();
      if (holds && PrintText(before) == PrintText(after)) {
        return exclusion.reason().empty()
                   ? absl::StrCat("excluded: ", absl::StrJoin(exclusion.when(), ", "))
                   : exclusion.reason();
      }
    }
    return "";
  }

  absl::Status Check(const Experiment& config, uint64_t* fingerprint) {
    ASSIGN_OR_RETURN(const auto plan, MakePlan(config, definition_.base_locations));
    RETURN_IF_ERROR(VerifyPlan(*plan, definition_.base_locations).status());
    *fingerprint = plan->dataset->fingerprint();
    dataset_ = plan->dataset;
    return absl::OkStatus();
  }

  const SweepDefinition& definition_;
  const Sweep& sweep_;
  Expansion expansion_;
  std::map<std::string, std::string> points_;  // by id
  std::shared_ptr<const Dataset> dataset_;     // kept, so that the next plan need not read it again
};

std::vector<std::string> ColumnsOf(const Sweep& sweep) {
  std::vector<std::string> columns;
  if (sweep.arm_size() > 0) columns.push_back("arm");
  for (const Axis& axis : sweep.axis()) columns.push_back(axis.path());
  for (const Axis& axis : sweep.tune()) columns.push_back(axis.path());
  return columns;
}

std::vector<int> SeedOffsets(const Sweep& sweep) {
  std::vector<int> seeds;
  for (int i = 0; i < sweep.seeds(); ++i) seeds.push_back(i);
  return seeds;
}

}  // namespace

absl::StatusOr<Expansion> ExpandSweep(const SweepDefinition& definition) {
  const Sweep& sweep = definition.sweep;
  Expander expander(definition, ColumnsOf(sweep));
  const bool tunes = sweep.tune_size() > 0;
  const std::vector<int> seeds = tunes ? std::vector<int>{sweep.seeds()} : SeedOffsets(sweep);
  std::vector<std::string> labels;
  for (const SweepArm& arm : sweep.arm()) labels.push_back(arm.label());
  if (labels.empty()) labels.push_back("");
  const std::vector<Point> points = AxisPoints(sweep), tuned = Grid(sweep.tune());
  for (const std::string& label : labels) {
    for (const Point& point : points) {
      for (const Point& tuning : tuned) {
        std::vector<std::string> values;
        if (!label.empty()) values.push_back(label);
        for (const Axis& axis : sweep.axis()) {
          const auto found = point.find(axis.path());
          values.push_back(found == point.end() ? "" : found->second);
        }
        for (const Axis& axis : sweep.tune()) values.push_back(tuning.at(axis.path()));
        RETURN_IF_ERROR(expander.Add(std::move(values), seeds));
      }
    }
  }
  return expander.Finish();
}

absl::StatusOr<Expansion> ExpandChosen(const SweepDefinition& definition, const Expansion& first,
                                       const std::vector<int>& chosen) {
  Expander expander(definition, first.columns);
  for (const int index : chosen) {
    RETURN_IF_ERROR(expander.Add(first.combinations[index].values, SeedOffsets(definition.sweep)));
  }
  return expander.Finish();
}

std::vector<std::vector<int>> TuningGroups(const SweepDefinition& definition,
                                           const Expansion& first) {
  std::vector<std::vector<int>> groups;
  std::map<std::vector<std::string>, size_t> known;
  const size_t fixed = first.columns.size() - definition.sweep.tune_size();
  for (size_t i = 0; i < first.combinations.size(); ++i) {
    std::vector<std::string> key = first.combinations[i].values;
    key.resize(fixed);
    const auto [group, is_new] = known.insert({std::move(key), groups.size()});
    if (is_new) groups.emplace_back();
    groups[group->second].push_back(static_cast<int>(i));
  }
  return groups;
}

std::string ExpansionText(const Expansion& expansion) {
  std::string text;
  for (size_t i = 0; i < expansion.combinations.size(); ++i) {
    const SweepCombination& combination = expansion.combinations[i];
    const std::string point = CombinationLabel(expansion.columns, combination.values);
    absl::StrAppend(&text, point.empty() ? "base" : point, "\n");
    for (const std::string& note : combination.notes)
      absl::StrAppend(&text, "  note: ", note, "\n");
    for (const SweepRun& run : expansion.runs) {
      if (run.combination != static_cast<int>(i)) continue;
      absl::StrAppend(&text, "  ", run.id, "  seed ", run.seed, "\n");
    }
  }
  std::map<std::string, std::vector<std::string>> reasons;
  for (const Dropped& dropped : expansion.dropped) {
    reasons[dropped.reason].push_back(CombinationLabel(expansion.columns, dropped.values));
  }
  for (const auto& [reason, points] : reasons) {
    absl::StrAppend(&text, points.size(), points.size() == 1 ? " combination" : " combinations",
                    " dropped: ", reason, "\n");
    for (const std::string& point : points) absl::StrAppend(&text, "  ", point, "\n");
  }
  absl::StrAppend(&text, expansion.runs.size(), expansion.runs.size() == 1 ? " run" : " runs", ", ",
                  expansion.combinations.size(),
                  expansion.combinations.size() == 1 ? " combination\n" : " combinations\n");
  return text;
}

}  // namespace starling
