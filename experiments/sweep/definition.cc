// ParseSweep and LargerIsBetter of expansion.h.
#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/config/resolve.h"
#include "core/config/text.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/sweep/expansion.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

// Reads the file that the base is in; relative to the sweep's own file, or to where the user
// stands.
absl::Status LoadBaseFile(const std::string& sweep_file, SweepDefinition* definition) {
  Sweep* sweep = &definition->sweep;
  if (sweep->has_base()) {
    return absl::InvalidArgumentError(
        absl::StrCat(sweep_file, ": base and base_file are both given; give one"));
  }
  const fs::path named(sweep->base_file());
  const std::string beside = (fs::path(sweep_file).parent_path() / named).string();
  std::error_code error;
  const std::string path = fs::exists(beside, error) ? beside : UserPath(sweep->base_file());
  RETURN_IF_ERROR(LoadText(path, sweep->mutable_base(), &definition->base_locations));
  sweep->clear_base_file();
  return absl::OkStatus();
}

class Checker {
 public:
  explicit Checker(const Sweep& sweep) : sweep_(sweep) {}

  std::vector<Problem> Check() {
    for (int i = 0; i < sweep_.axis_size(); ++i) {
      CheckAxis(sweep_.axis(i), absl::StrCat("axis[", i, "]"), sweep_.combine() == Sweep::RANDOM);
    }
    for (int i = 0; i < sweep_.tune_size(); ++i) {
      CheckAxis(sweep_.tune(i), absl::StrCat("tune[", i, "]"), /*may_draw=*/false);
    }
    if (sweep_.combine() == Sweep::ZIP) CheckZip();
    CheckArms();
    CheckExclusions();
    return std::move(problems_);
  }

 private:
  void Add(const std::string& path, std::string message) {
    problems_.push_back({path, std::move(message)});
  }

  void CheckAxis(const Axis& axis, const std::string& at, bool may_draw) {
    if (axis.path().empty()) {
      return Add(at, absl::StrCat(at, " has no path; e.g. path: \"optimizer.config.lr\""));
    }
    if (axis.path() == "seed") {
      return Add(at, absl::StrCat(at, ".path is \"seed\"; seeds: N runs each combination N times"));
    }
    if (axis.path() == "arm" || absl::StartsWith(axis.path(), "arm[")) {
      return Add(at, absl::StrCat(at, ".path is \"", axis.path(), "\"; arms stand in arm { }"));
    }
    if (!paths_.insert(axis.path()).second) {
      Add(at, absl::StrCat(at, ".path is \"", axis.path(), "\", as that of an axis before it"));
    }
    std::set<std::string> values;
    for (const std::string& value : axis.values()) {
      if (value.empty()) Add(at, absl::StrCat(at, " (", axis.path(), ") has an empty value"));
      if (!values.insert(value).second) {
        Add(at, absl::StrCat(at, " (", axis.path(), ") has the value ", value, " twice"));
      }
    }
    const bool draws = axis.has_min() || axis.has_max();
    if (!draws && axis.values().empty()) {
      Add(at, absl::StrCat(at, " (", axis.path(), ") has no values"));
    } else if (draws && (!may_draw || !axis.values().empty())) {
      Add(at,
          absl::StrCat(at, " (", axis.path(), ") has min and max, which stand for drawn values: ",
                       "with combine: RANDOM and without values"));
    } else if (draws && !(axis.has_min() && axis.has_max() && axis.min() < axis.max())) {
      Add(at, absl::StrCat(at, " (", axis.path(), ") needs min and max, min below max"));
    } else if (draws && axis.log() && axis.min() <= 0) {
      Add(at, absl::StrCat(at, " (", axis.path(), ") has min ", axis.min(),
                           "; with log it must be above 0"));
    }
  }

  void CheckZip() {
    for (int i = 1; i < sweep_.axis_size(); ++i) {
      if (sweep_.axis(i).values_size() == sweep_.axis(0).values_size()) continue;
      Add(absl::StrCat("axis[", i, "]"),
          absl::StrCat("axis[", i, "] has ", sweep_.axis(i).values_size(), " values and axis[0] ",
                       sweep_.axis(0).values_size(), "; combine: ZIP needs as many"));
    }
  }

  void CheckArms() {
    std::set<std::string> labels;
    for (int i = 0; i < sweep_.arm_size(); ++i) {
      const std::string at = absl::StrCat("arm[", i, "]");
      const std::string& label = sweep_.arm(i).label();
      if (label.empty()) Add(at, absl::StrCat(at, " has no label"));
      if (!label.empty() && !labels.insert(label).second) {
        Add(at, absl::StrCat(at, ".label is \"", label, "\", as that of an arm before it"));
      }
      for (const std::string& set : sweep_.arm(i).set()) CheckAssignment(at + ".set", set);
    }
  }

  void CheckExclusions() {
    for (int i = 0; i < sweep_.exclude_size(); ++i) {
      const std::string at = absl::StrCat("exclude[", i, "]");
      if (sweep_.exclude(i).when().empty()) {
        Add(at, absl::StrCat(at, " has no `when`, so it would exclude everything"));
      }
      for (const std::string& when : sweep_.exclude(i).when()) CheckAssignment(at + ".when", when);
    }
  }

  void CheckAssignment(const std::string& at, const std::string& text) {
    if (absl::StrContains(text, '=')) return;
    Add(at, absl::StrCat(at, " is \"", text, "\"; it must be path=value"));
  }

  const Sweep& sweep_;
  std::set<std::string> paths_;
  std::vector<Problem> problems_;
};

}  // namespace

bool LargerIsBetter(absl::string_view metric) {
  return absl::StrContains(metric, "accuracy") || absl::StrContains(metric, "bleu");
}

absl::StatusOr<SweepDefinition> ParseSweep(const std::string& text, const std::string& file,
                                           const std::vector<std::string>& set) {
  SweepDefinition definition;
  Sweep* sweep = &definition.sweep;
  TextLocations locations;
  RETURN_IF_ERROR(ParseText(text, file, sweep, &locations));
  definition.base_locations = locations.Below("base");
  if (sweep->has_base_file()) RETURN_IF_ERROR(LoadBaseFile(file, &definition));
  std::vector<std::string> notes;
  for (const std::string& assignment : set) {
    RETURN_IF_ERROR(WithContext(SetField(sweep, assignment, &notes), "--set"));
  }
  if (!sweep->has_base()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file,
        ": there is no base; give base { ... } or base_file: \"FILE\", the experiment that "
        "all runs start from"));
  }
  // The base keeps its unset fields unset: an arm may name other plug-ins, with other defaults.
  Experiment base;
  base.Swap(sweep->mutable_base());
  sweep->clear_base();
  if (sweep->arm().empty()) {
    for (const Arm& arm : base.arm()) {
      SweepArm* own = sweep->add_arm();
      own->set_label(arm.name());
      *own->mutable_set() = arm.set();
    }
  } else if (!base.arm().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": the base has arms, and so has the sweep; keep one of both"));
  }
  base.clear_arm();
  if (!base.has_seed()) base.set_seed(1);
  if (!sweep->has_name() && !base.name().empty()) sweep->set_name(base.name());
  std::vector<Problem> problems = Resolve(sweep);
  if (problems.empty()) problems = Checker(*sweep).Check();
  RETURN_IF_ERROR(ProblemsStatus(problems, locations));
  if (!sweep->has_larger_is_better()) {
    sweep->set_larger_is_better(LargerIsBetter(sweep->metric()));
  }
  sweep->mutable_base()->Swap(&base);
  return definition;
}

}  // namespace starling
