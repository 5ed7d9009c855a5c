// From a sweep's definition to its runs.
#ifndef EXPERIMENTS_SWEEP_EXPANSION_H_
#define EXPERIMENTS_SWEEP_EXPANSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/config/problem.h"
#include "experiments/experiment.pb.h"
#include "experiments/sweep/sweep.pb.h"

namespace starling {

// A definition as it is kept: checked, its defaults written, the base inside instead of in a file.
// The base is as given, because an axis may change to which plug-in a default belongs.
struct SweepDefinition {
  Sweep sweep;
  TextLocations base_locations;
};

// Reads `text`, written in `file`, with what --set changes ("seeds=3", "base.train.max_steps=10").
// INVALID_ARGUMENT: every problem on a line of its own, with its place.
absl::StatusOr<SweepDefinition> ParseSweep(const std::string& text, const std::string& file,
                                           const std::vector<std::string>& set);

// Whether larger values of a metric of this name are better.
bool LargerIsBetter(absl::string_view metric);

// One point of the sweep, which runs with several seeds.
struct SweepCombination {
  std::vector<std::string> values;       // by Expansion::columns
  std::vector<std::string> assignments;  // "path=value", what differs from the base, in order
  std::vector<std::string> notes;        // fields that changing a plug-in has dropped
};

struct SweepRun {
  // 16 hexadecimal digits: a hash of what can change the result. That is the resolved config but
  // what ClearHow clears (identity.h), with the data by fingerprint instead of their place, and
  // those assignments that vary what ClearHow clears.
  std::string id;
  int combination = 0;  // index in Expansion::combinations
  uint64_t seed = 0;
  Experiment config;  // resolved
};

// A combination that does not run.
struct Dropped {
  std::vector<std::string> values;
  std::string reason;
};

struct Expansion {
  std::vector<std::string> columns;  // "arm", if there are arms, then the paths of the axes
  std::vector<SweepCombination> combinations;
  std::vector<SweepRun> runs;  // by combination, then by seed
  std::vector<Dropped> dropped;
};

// All runs; with fields to tune, those of the first stage: every combination with every value of
// `tune` (columns at the end), each with the one seed base.seed + seeds, which the second stage
// leaves alone.
// INVALID_ARGUMENT names the combination and what is wrong with it, unless drop_illegal is set.
absl::StatusOr<Expansion> ExpandSweep(const SweepDefinition& definition);

// The second stage: `chosen` of the first one's combinations, with all seeds.
absl::StatusOr<Expansion> ExpandChosen(const SweepDefinition& definition, const Expansion& first,
                                       const std::vector<int>& chosen);

// Groups of the first stage's combinations that differ only in what is tuned, in order.
std::vector<std::vector<int>> TuningGroups(const SweepDefinition& definition,
                                           const Expansion& first);

// What --dry_run shows: runs, dropped fields, dropped combinations with count and reason.
std::string ExpansionText(const Expansion& expansion);

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_EXPANSION_H_
