#include "experiments/report/analysis.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/status.h"
#include "experiments/combination_label.h"

namespace starling {
namespace {

// Points of a curve, so that a report stays small: all curves of it together have about so many.
constexpr size_t kPointsOfAll = 12000;
constexpr size_t kFewestPoints = 40, kMostPoints = 300;

// At most `count` of the steps, evenly, the first and the last among them.
std::vector<int64_t> Thinned(const std::vector<int64_t>& steps, size_t count) {
  if (steps.size() <= count) return steps;
  std::vector<int64_t> kept;
  for (size_t i = 0; i < count; ++i) kept.push_back(steps[i * (steps.size() - 1) / (count - 1)]);
  return kept;
}

// The steps at which all records have `metric`.
std::vector<int64_t> CommonSteps(const std::vector<const RunRecord*>& records,
                                 const std::string& metric) {
  std::vector<int64_t> common;
  for (size_t r = 0; r < records.size(); ++r) {
    const auto found = records[r]->metrics.find(metric);
    if (found == records[r]->metrics.end()) return {};
    std::vector<int64_t> steps, both;
    for (const auto& [step, value] : found->second) steps.push_back(step);
    std::set_intersection(steps.begin(), steps.end(), common.begin(), common.end(),
                          std::back_inserter(both));
    common = r == 0 ? steps : both;
  }
  return common;
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

CurveGroup GroupAt(const std::vector<const RunRecord*>& records, std::vector<int64_t> steps) {
  CurveGroup group;
  group.step = std::move(steps);
  for (const int64_t step : group.step) {
    std::vector<double> seconds, megabytes;
    for (const RunRecord* record : records) {
      const Progression& progress = record->progress.at(step);
      seconds.push_back(progress.seconds);
      megabytes.push_back(progress.megabytes);
    }
    group.seconds.push_back(MeanOf(seconds));
    group.megabytes.push_back(MeanOf(megabytes));
  }
  return group;
}

Curve CurveAt(const std::vector<const RunRecord*>& records, const std::string& metric,
              const std::vector<int64_t>& steps) {
  Curve curve;
  for (const int64_t step : steps) {
    std::vector<double> values;
    for (const RunRecord* record : records) values.push_back(record->metrics.at(metric).at(step));
    const MeanEstimate estimate = EstimateMean(values);
    curve.mean.push_back(estimate.mean);
    if (!estimate.interval) continue;
    curve.half_width.push_back((estimate.interval->high - estimate.interval->low) / 2);
  }
  return curve;
}

std::vector<CurveGroup> CurvesOf(const std::vector<const RunRecord*>& records, size_t points) {
  std::map<std::vector<int64_t>, CurveGroup> groups;
  for (const auto& [metric, values] : records[0]->metrics) {
    const std::vector<int64_t> steps = Thinned(CommonSteps(records, metric), points);
    if (steps.empty()) continue;
    auto group = groups.find(steps);
    if (group == groups.end()) group = groups.emplace(steps, GroupAt(records, steps)).first;
    group->second.curves[metric] = CurveAt(records, metric, steps);
  }
  std::vector<CurveGroup> list;
  for (auto& [steps, group] : groups) list.push_back(std::move(group));
  return list;
}

std::map<std::string, double> MeanNumbers(const std::vector<const RunRecord*>& records) {
  std::map<std::string, double> means = records[0]->numbers;
  for (auto entry = means.begin(); entry != means.end();) {
    std::vector<double> values;
    for (const RunRecord* record : records) {
      const auto found = record->numbers.find(entry->first);
      if (found != record->numbers.end()) values.push_back(found->second);
    }
    if (values.size() < records.size()) {
      entry = means.erase(entry);
    } else {
      (entry++)->second = MeanOf(values);
    }
  }
  return means;
}

std::vector<LinkTraffic> MeanLinks(const std::vector<const RunRecord*>& records) {
  std::map<std::pair<int, int>, double> sums;
  double runs = 0;
  for (const RunRecord* record : records) {
    if (record->links.empty()) continue;
    ++runs;
    for (const LinkTraffic& link : record->links) sums[{link.from, link.to}] += link.bytes;
  }
  std::vector<LinkTraffic> links;
  for (const auto& [ends, bytes] : sums) {
    links.push_back({ends.first, ends.second, bytes / runs});
  }
  return links;
}

// Reads the combination's runs and fills in what depends on them.
absl::Status Fill(const ReportInput& input, size_t points, Combination* combination,
                  Analysis* analysis) {
  std::vector<RunRecord> records;
  std::vector<const RunRecord*> counted, begun;
  records.reserve(combination->runs.size());
  std::vector<double> scores;
  for (const size_t r : combination->runs) {
    const ReportRun& run = input.runs[r];
    ASSIGN_OR_RETURN(RunRecord record, ReadRunRecord(run.directory));
    records.push_back(std::move(record));
    const RunRecord* own = &records.back();
    const std::optional<double> score = ValueOf(*own, input.metric);
    analysis->runs[r] = {score, own->numbers, own->message, own->state_digest};
    const bool done = run.status == "done";
    if (done && score) {
      counted.push_back(own);
      scores.push_back(*score);
      combination->scores[run.seed] = *score;
    } else {
      ++combination->left_out[done ? absl::StrCat("without ", input.metric) : run.status];
      if (!own->metrics.empty() || !own->numbers.empty()) begun.push_back(own);
    }
    if (!combination->config) combination->config = own->config;
    if (!own->metrics.empty()) {
      (own->simulated ? analysis->any_simulated : analysis->any_measured) = true;
    }
  }
  combination->score = EstimateMean(scores);
  combination->unfinished = counted.empty();
  const auto& shown = counted.empty() ? begun : counted;
  if (shown.empty()) return absl::OkStatus();
  combination->curves = CurvesOf(shown, points);
  combination->numbers = MeanNumbers(shown);
  combination->links = MeanLinks(shown);
  return absl::OkStatus();
}

std::vector<Comparison> Compare(const std::vector<Combination>& combinations, bool all_pairs) {
  std::vector<Comparison> comparisons;
  for (size_t a = 0; a < combinations.size() && (all_pairs || a == 0); ++a) {
    for (size_t b = a + 1; b < combinations.size(); ++b) {
      if (combinations[a].scores.empty() || combinations[b].scores.empty()) continue;
      comparisons.push_back(
          {a, b, ComparePaired(combinations[a].scores, combinations[b].scores), std::nullopt});
    }
  }
  std::vector<std::optional<double>> p_values;
  for (const Comparison& comparison : comparisons) p_values.push_back(comparison.difference.p);
  const auto adjusted = HolmAdjusted(p_values);
  for (size_t i = 0; i < comparisons.size(); ++i) comparisons[i].p = adjusted[i];
  return comparisons;
}

}  // namespace

absl::StatusOr<Analysis> Analyze(const ReportInput& input) {
  Analysis analysis;
  analysis.runs.resize(input.runs.size());
  std::map<std::vector<std::string>, size_t> index;
  for (size_t r = 0; r < input.runs.size(); ++r) {
    const ReportRun& run = input.runs[r];
    if (run.values.size() != input.columns.size()) {
      return absl::InvalidArgumentError(absl::StrCat("run ", run.id, " has ", run.values.size(),
                                                     " values for ", input.columns.size(),
                                                     " columns; each column needs one"));
    }
    const auto [place, fresh] = index.emplace(run.values, analysis.combinations.size());
    if (fresh) {
      Combination combination;
      combination.values = run.values;
      combination.label =
          run.values.empty() ? input.title : CombinationLabel(input.columns, run.values);
      analysis.combinations.push_back(std::move(combination));
    }
    analysis.combinations[place->second].runs.push_back(r);
  }
  const size_t combinations = std::max<size_t>(analysis.combinations.size(), 1);
  const size_t points = std::clamp(kPointsOfAll / combinations, kFewestPoints, kMostPoints);
  for (Combination& combination : analysis.combinations) {
    RETURN_IF_ERROR(Fill(input, points, &combination, &analysis));
  }
  std::stable_sort(analysis.combinations.begin(), analysis.combinations.end(),
                   [&](const Combination& a, const Combination& b) {
                     if (a.score.count == 0 || b.score.count == 0) {
                       return a.score.count > 0 && b.score.count == 0;
                     }
                     return input.larger_is_better ? a.score.mean > b.score.mean
                                                   : a.score.mean < b.score.mean;
                   });
  const auto scored =
      std::count_if(analysis.combinations.begin(), analysis.combinations.end(),
                    [](const Combination& combination) { return combination.score.count > 0; });
  analysis.all_pairs = static_cast<size_t>(scored) <= kMostForAllPairs;
  analysis.comparisons = Compare(analysis.combinations, analysis.all_pairs);
  return analysis;
}

bool BestIsDistinguishable(const Analysis& analysis, bool larger_is_better) {
  bool compared = false;
  for (const Comparison& comparison : analysis.comparisons) {
    if (comparison.a != 0) continue;
    compared = true;
    if (VerdictOf(comparison.difference, comparison.p, larger_is_better) !=
        Verdict::kFirstIsBetter) {
      return false;
    }
  }
  return compared;
}

}  // namespace starling
