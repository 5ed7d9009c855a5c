// What a sweep came to: a row per run, and per combination over its seeds.
#ifndef EXPERIMENTS_SWEEP_RESULTS_H_
#define EXPERIMENTS_SWEEP_RESULTS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/sweep/expansion.h"
#include "experiments/sweep/sweep_directory.h"

namespace starling {

struct RunResultRow {
  RunState state = RunState::kPending;
  std::string reason;                     // of a failure or an early stop
  std::map<std::string, double> numbers;  // of summary.json, by name; only finite ones
  std::optional<double> metric;           // the sweep's
  std::string state_digest;
};

// The rows of the expansion's runs, in their order. What cannot be read is absent.
std::vector<RunResultRow> ReadResults(const SweepDirectory& directory, const Expansion& expansion,
                                      const std::string& metric);

// The value of `metric` of the run at `path`: a number of summary.json, or, if the name has a '/',
// the last value in metrics.jsonl that counts for the whole world. Only a finite one.
std::optional<double> ReadMetric(const std::string& path, const std::string& metric);

// The first value of `metric` in metrics.jsonl of the run at `path` at or after `step`.
std::optional<double> ReadMetricAt(const std::string& path, const std::string& metric,
                                   int64_t step);

// How far the run at `path` is: "step 120, loss 0.52"; empty if it has not said anything yet.
std::string ReadProgress(const std::string& path);

// run_id,status,seed,<columns>,eval_accuracy,eval_loss,wall_seconds,state_digest; as RFC 4180
// quotes. Without a value a field is empty.
std::string RunsCsv(const Expansion& expansion, const std::vector<RunResultRow>& rows);

// A row per combination: its columns, n, failed, and mean, low and high (95 % t interval) of every
// number that its finished runs have, the sweep's metric first.
std::string SummaryCsv(const Sweep& sweep, const Expansion& expansion,
                       const std::vector<RunResultRow>& rows);

// A row per combination but the first: how it differs from that one in the sweep's metric, by
// seed, with interval, p value and Holm's correction.
std::string DifferencesCsv(const Sweep& sweep, const Expansion& expansion,
                           const std::vector<RunResultRow>& rows);

// Table and words for the end of a sweep, at most 80 columns where names allow.
std::string ResultsText(const Sweep& sweep, const Expansion& expansion,
                        const std::vector<RunResultRow>& rows);

// What is left to do and with which flag; empty if nothing is.
std::string LeftText(const std::vector<RunResultRow>& rows);

// For each group of `first`'s combinations the one that is best by `tune_metric`, the earlier of
// equal ones. FAILED_PRECONDITION names a group without any value.
absl::StatusOr<std::vector<int>> ChooseTuned(const SweepDefinition& definition,
                                             const SweepDirectory& directory,
                                             const Expansion& first);

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_RESULTS_H_
