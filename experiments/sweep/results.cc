#include "experiments/sweep/results.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "experiments/columns.h"
#include "experiments/combination_label.h"
#include "experiments/csv.h"
#include "experiments/statistics.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::json;

// The shortest text that reads back as the same number.
std::string Number(double value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), value);
  CHECK(end.ec == std::errc());
  return std::string(text, end.ptr);
}
std::string Number(std::optional<double> value) { return value ? Number(*value) : ""; }

// An empty object for a file that is absent or damaged.
Json ReadJson(const std::string& path) {
  const auto text = ReadFile(path);
  Json json = text.ok() ? Json::parse(*text, nullptr, /*allow_exceptions=*/false) : Json::object();
  return json.is_object() ? json : Json::object();
}

// Calls use(step, value) for every record of `metric` that counts for the whole world, until it
// returns false. The last line may be half-written.
template <typename Use>
void ForEachValue(const std::string& path, const std::string& metric, Use use) {
  const auto text = ReadFile(absl::StrCat(path, "/metrics.jsonl"));
  if (!text.ok()) return;
  const std::string quoted = absl::StrCat("\"", metric, "\":");
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::StrContains(line, quoted)) continue;  // parsing is what takes long
    const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || json.value("worker", 0) != -1) continue;
    const auto value = json.find(metric);
    if (value == json.end() || !value->is_number()) continue;
    if (!use(json.value("step", int64_t{0}), value->get<double>())) return;
  }
}

std::optional<double> Finite(std::optional<double> value) {
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<double> NumberOf(const RunResultRow& row, const std::string& name) {
  const auto found = row.numbers.find(name);
  return found == row.numbers.end() ? std::nullopt : std::optional<double>(found->second);
}

// What one combination's runs have of one number, by seed.
std::map<uint64_t, double> BySeed(const Expansion& expansion, const std::vector<RunResultRow>& rows,
                                  int combination, const std::string& name,
                                  const std::string& metric) {
  std::map<uint64_t, double> values;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (expansion.runs[i].combination != combination || !IsFinished(rows[i].state)) continue;
    const auto value = name == metric ? rows[i].metric : NumberOf(rows[i], name);
    if (value) values[expansion.runs[i].seed] = *value;
  }
  return values;
}

std::vector<double> Values(const std::map<uint64_t, double>& by_seed) {
  std::vector<double> values;
  for (const auto& [seed, value] : by_seed) values.push_back(value);
  return values;
}

int CountFailed(const Expansion& expansion, const std::vector<RunResultRow>& rows,
                int combination) {
  int failed = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    failed += expansion.runs[i].combination == combination && rows[i].state == RunState::kFailed;
  }
  return failed;
}

std::string NameOf(const Expansion& expansion, size_t combination) {
  const std::string text =
      CombinationLabel(expansion.columns, expansion.combinations[combination].values);
  return text.empty() ? "base" : text;
}

// Of every combination but the first, compared with it.
struct Comparisons {
  std::vector<PairedDifference> differences;
  std::vector<std::optional<double>> adjusted;
};

Comparisons Compare(const Sweep& sweep, const Expansion& expansion,
                    const std::vector<RunResultRow>& rows) {
  Comparisons comparisons;
  std::vector<std::optional<double>> p_values;
  const auto values = [&](size_t combination) {
    return BySeed(expansion, rows, static_cast<int>(combination), sweep.metric(), sweep.metric());
  };
  const std::map<uint64_t, double> first = values(0);
  for (size_t i = 1; i < expansion.combinations.size(); ++i) {
    comparisons.differences.push_back(ComparePaired(values(i), first));
    p_values.push_back(comparisons.differences.back().p);
  }
  comparisons.adjusted = HolmAdjusted(p_values);
  return comparisons;
}

}  // namespace

std::optional<double> ReadMetric(const std::string& path, const std::string& metric) {
  std::optional<double> last;
  if (absl::StrContains(metric, '/')) {
    ForEachValue(path, metric, [&](int64_t, double value) {
      last = value;
      return true;
    });
    return Finite(last);
  }
  const Json summary = ReadJson(absl::StrCat(path, "/summary.json"));
  const auto value = summary.find(metric);
  if (value != summary.end() && value->is_number()) last = value->get<double>();
  return Finite(last);
}

std::optional<double> ReadMetricAt(const std::string& path, const std::string& metric,
                                   int64_t step) {
  std::optional<double> found;
  ForEachValue(path, metric, [&](int64_t at, double value) {
    if (at < step) return true;
    found = value;
    return false;
  });
  return found;
}

std::string ReadProgress(const std::string& path) {
  // Its end is enough, and files can be long.
  std::ifstream file(absl::StrCat(path, "/metrics.jsonl"), std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  std::string end(static_cast<size_t>(std::min<std::streamoff>(size, 4096)), '\0');
  file.seekg(size - static_cast<std::streamoff>(end.size()));
  file.read(end.data(), static_cast<std::streamsize>(end.size()));
  std::string progress;
  for (absl::string_view line : absl::StrSplit(end, '\n')) {
    const Json json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    const auto loss = json.is_object() ? json.find("train/loss") : json.end();
    if (!json.is_object() || loss == json.end() || !loss->is_number()) continue;
    progress =
        absl::StrFormat("step %d, loss %.4g", json.value("step", int64_t{0}), loss->get<double>());
  }
  return progress;
}

std::vector<RunResultRow> ReadResults(const SweepDirectory& directory, const Expansion& expansion,
                                      const std::string& metric) {
  std::vector<RunResultRow> rows;
  for (const SweepRun& run : expansion.runs) {
    RunResultRow row;
    row.state = directory.StateOf(run.id);
    const auto outcome = directory.ReadOutcome(run.id);
    if (outcome.ok() && outcome->has_value()) {
      row.reason = (*outcome)->reason;
      const std::string path = directory.RunPath(run.id);
      const Json summary = ReadJson(absl::StrCat(path, "/summary.json"));
      for (const auto& [name, value] : summary.items()) {
        if (value.is_number()) row.numbers[name] = value.get<double>();
      }
      row.metric = ReadMetric(path, metric);
      const auto digest = summary.find("state_digest");
      if (digest != summary.end() && digest->is_string()) row.state_digest = *digest;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string RunsCsv(const Expansion& expansion, const std::vector<RunResultRow>& rows) {
  std::string csv;
  std::vector<std::string> header = {"run_id", "status", "seed"};
  header.insert(header.end(), expansion.columns.begin(), expansion.columns.end());
  for (const char* name : {"eval_accuracy", "eval_loss", "wall_seconds", "state_digest"}) {
    header.push_back(name);
  }
  csv += CsvRow(header);
  for (size_t i = 0; i < rows.size(); ++i) {
    const SweepRun& run = expansion.runs[i];
    std::vector<std::string> fields = {run.id, std::string(RunStateName(rows[i].state)),
                                       absl::StrCat(run.seed)};
    const auto& values = expansion.combinations[run.combination].values;
    fields.insert(fields.end(), values.begin(), values.end());
    for (const char* name : {"eval_accuracy", "eval_loss", "wall_seconds"}) {
      fields.push_back(Number(NumberOf(rows[i], name)));
    }
    fields.push_back(rows[i].state_digest);
    csv += CsvRow(fields);
  }
  return csv;
}

std::string SummaryCsv(const Sweep& sweep, const Expansion& expansion,
                       const std::vector<RunResultRow>& rows) {
  // The metric first, then what any run has, but not what counts for all of them alike.
  std::vector<std::string> names = {sweep.metric()};
  for (const RunResultRow& row : rows) {
    for (const auto& [name, value] : row.numbers) {
      if (name == "workers" || std::find(names.begin(), names.end(), name) != names.end()) continue;
      names.push_back(name);
    }
  }
  std::sort(names.begin() + 1, names.end());
  std::vector<std::string> header = expansion.columns;
  header.insert(header.end(), {"n", "failed"});
  for (const std::string& name : names) {
    for (const char* part : {"_mean", "_low", "_high"}) header.push_back(name + part);
  }
  std::string csv;
  csv += CsvRow(header);
  for (size_t c = 0; c < expansion.combinations.size(); ++c) {
    std::vector<std::string> fields = expansion.combinations[c].values;
    const int index = static_cast<int>(c);
    std::vector<std::string> numbers;
    int n = 0;
    for (const std::string& name : names) {
      const MeanEstimate mean =
          EstimateMean(Values(BySeed(expansion, rows, index, name, sweep.metric())));
      n = std::max(n, mean.count);
      numbers.push_back(mean.count > 0 ? Number(mean.mean) : "");
      numbers.push_back(mean.interval ? Number(mean.interval->low) : "");
      numbers.push_back(mean.interval ? Number(mean.interval->high) : "");
    }
    fields.push_back(absl::StrCat(n));
    fields.push_back(absl::StrCat(CountFailed(expansion, rows, index)));
    fields.insert(fields.end(), numbers.begin(), numbers.end());
    csv += CsvRow(fields);
  }
  return csv;
}

std::string DifferencesCsv(const Sweep& sweep, const Expansion& expansion,
                           const std::vector<RunResultRow>& rows) {
  const Comparisons comparisons = Compare(sweep, expansion, rows);
  std::string csv;
  csv += CsvRow({"combination", "compared_with", "metric", "n", "difference", "low", "high", "p",
                 "p_holm", "distinguishable"});
  for (size_t i = 0; i < comparisons.differences.size(); ++i) {
    const PairedDifference& paired = comparisons.differences[i];
    const MeanEstimate& mean = paired.difference;
    const auto adjusted = comparisons.adjusted[i];
    csv += CsvRow({NameOf(expansion, i + 1), NameOf(expansion, 0), sweep.metric(),
                   absl::StrCat(mean.count), mean.count > 0 ? Number(mean.mean) : "",
                   mean.interval ? Number(mean.interval->low) : "",
                   mean.interval ? Number(mean.interval->high) : "", Number(paired.p),
                   Number(adjusted), adjusted ? (*adjusted < kSignificance ? "yes" : "no") : ""});
  }
  return csv;
}

std::string ResultsText(const Sweep& sweep, const Expansion& expansion,
                        const std::vector<RunResultRow>& rows) {
  std::string text =
      absl::StrCat(sweep.metric(), sweep.larger_is_better() ? " (larger" : " (smaller",
                   " is better), mean and 95 % interval over seeds\n");
  for (size_t c = 0; c < expansion.combinations.size(); ++c) {
    const int index = static_cast<int>(c);
    const MeanEstimate mean =
        EstimateMean(Values(BySeed(expansion, rows, index, sweep.metric(), sweep.metric())));
    std::string value = mean.count == 0 ? "no result" : absl::StrFormat("%.5g", mean.mean);
    if (mean.interval) {
      absl::StrAppendFormat(&value, " (%.5g to %.5g)", mean.interval->low, mean.interval->high);
    }
    absl::StrAppend(&value, ", n=", mean.count);
    if (const int failed = CountFailed(expansion, rows, index); failed > 0) {
      absl::StrAppend(&value, ", ", failed, " failed");
    }
    absl::StrAppend(&text, "  ", NameOf(expansion, c), "\n      ", value, "\n");
  }
  const Comparisons comparisons = Compare(sweep, expansion, rows);
  const bool several = sweep.seeds() > 1 && !comparisons.differences.empty();
  if (several)
    absl::StrAppend(&text, "compared with the first, seed by seed, with Holm's correction:\n");
  for (size_t i = 0; several && i < comparisons.differences.size(); ++i) {
    absl::StrAppend(&text, RowText("",
                                   VerdictText(NameOf(expansion, i + 1), "the first",
                                               comparisons.differences[i], comparisons.adjusted[i],
                                               sweep.larger_is_better()),
                                   /*column=*/4));
  }
  return text;
}

std::string LeftText(const std::vector<RunResultRow>& rows) {
  std::map<RunState, int> counts;
  for (const RunResultRow& row : rows) ++counts[row.state];
  std::string text;
  const auto tell = [&](RunState state, absl::string_view what) {
    if (counts[state] == 0) return;
    absl::StrAppend(&text, counts[state], " ", RunStateName(state), what, "\n");
  };
  tell(RunState::kFailed, ": --retry_failed runs them again");
  tell(RunState::kInterrupted, ": --resume goes on with them");
  tell(RunState::kPending, ": start the sweep again");
  return text;
}

absl::StatusOr<std::vector<int>> ChooseTuned(const SweepDefinition& definition,
                                             const SweepDirectory& directory,
                                             const Expansion& first) {
  const std::string& metric = definition.sweep.tune_metric();
  const double sign = LargerIsBetter(metric) ? -1 : 1;
  const auto rows = ReadResults(directory, first, metric);
  std::vector<int> chosen;
  for (const std::vector<int>& group : TuningGroups(definition, first)) {
    std::optional<double> best;
    int best_combination = -1;
    for (size_t i = 0; i < rows.size(); ++i) {
      const int combination = first.runs[i].combination;
      const bool in_group = std::find(group.begin(), group.end(), combination) != group.end();
      if (!in_group || rows[i].state != RunState::kDone || !rows[i].metric) continue;
      if (best && sign * *rows[i].metric >= *best) continue;
      best = sign * *rows[i].metric;
      best_combination = combination;
    }
    if (best_combination < 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "nothing to choose from for ", NameOf(first, group[0]), " and its other values of ",
          definition.sweep.tune(0).path(), ": no run is done with a value of ", metric,
          "; tune_metric names another one"));
    }
    chosen.push_back(best_combination);
  }
  return chosen;
}

}  // namespace starling
