#include "experiments/report/page.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "comm/recorder.h"
#include "experiments/report/network.h"
#include "experiments/report/page_parts.h"
#include "experiments/statistics.h"
#include "experiments/svg.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;

// So many digits as one can see, to keep the page small.
Json Rounded(double value, int digits = 5) {
  if (!std::isfinite(value)) return {};
  return std::strtod(absl::StrFormat("%.*g", digits, value).c_str(), nullptr);
}

Json RoundedList(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(Rounded(value));
  return list;
}

Json EstimateJson(const MeanEstimate& estimate) {
  Json json = {{"count", estimate.count}, {"mean", Rounded(estimate.mean, 8)}};
  if (estimate.deviation) json["deviation"] = Rounded(*estimate.deviation);
  if (estimate.interval) {
    json["low"] = Rounded(estimate.interval->low, 8);
    json["high"] = Rounded(estimate.interval->high, 8);
  }
  return json;
}

Json CurvesJson(const std::vector<CurveGroup>& groups) {
  Json list = Json::array();
  for (const CurveGroup& group : groups) {
    Json curves;
    for (const auto& [metric, curve] : group.curves) {
      curves[metric] = {{"mean", RoundedList(curve.mean)}};
      if (!curve.half_width.empty()) curves[metric]["half"] = RoundedList(curve.half_width);
    }
    list.push_back({{"step", group.step},
                    {"seconds", RoundedList(group.seconds)},
                    {"megabytes", RoundedList(group.megabytes)},
                    {"curves", curves}});
  }
  return list;
}

Json NumbersJson(const std::map<std::string, double>& numbers) {
  Json json = Json::object();
  for (const auto& [name, value] : numbers) json[name] = Rounded(value, 8);
  return json;
}

Json CombinationsJson(const Analysis& analysis, Json* topologies) {
  std::map<std::string, int> known;  // topologies by their text
  Json list = Json::array();
  for (const Combination& combination : analysis.combinations) {
    Json json = {{"label", combination.label},
                 {"values", combination.values},
                 {"runs", combination.runs},
                 {"score", EstimateJson(combination.score)},
                 {"left_out", combination.left_out},
                 {"unfinished", combination.unfinished},
                 {"curves", CurvesJson(combination.curves)},
                 {"numbers", NumbersJson(combination.numbers)}};
    Json scores = Json::array();
    for (const auto& [seed, score] : combination.scores) scores.push_back(Rounded(score, 8));
    json["scores"] = scores;
    if (!combination.links.empty()) json["links"] = LinksJson(combination.links);
    if (combination.config) {
      json["workers"] = combination.config->workers();
      if (const auto topology = TopologyJson(*combination.config)) {
        const auto [place, fresh] =
            known.emplace(topology->dump(), static_cast<int>(topologies->size()));
        if (fresh) topologies->push_back(*topology);
        json["topology"] = place->second;
      }
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json RunsJson(const ReportInput& input, const Analysis& analysis) {
  Json list = Json::array();
  for (size_t r = 0; r < input.runs.size(); ++r) {
    const ReportRun& run = input.runs[r];
    const RunOutcome& outcome = analysis.runs[r];
    Json json = {
        {"id", run.id}, {"status", run.status}, {"seed", run.seed}, {"values", run.values}};
    if (outcome.score) json["score"] = Rounded(*outcome.score, 8);
    if (!outcome.message.empty()) json["message"] = outcome.message;
    if (!outcome.state_digest.empty()) json["state_digest"] = outcome.state_digest;
    Json numbers = Json::object();
    for (const char* name :
         {"eval_accuracy", "eval_bleu", "eval_perplexity", "eval_loss", "worker_accuracy/least",
          "worker_accuracy/most", "worker_loss/least", "worker_loss/most", "train_loss",
          "consensus_distance", "steps", "wall_seconds", "sim_seconds", "bytes_sent_per_worker"}) {
      const auto found = outcome.numbers.find(name);
      if (found != outcome.numbers.end()) numbers[name] = Rounded(found->second, 8);
    }
    json["numbers"] = numbers;
    list.push_back(std::move(json));
  }
  return list;
}

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFirstIsBetter:
      return "first";
    case Verdict::kSecondIsBetter:
      return "second";
    case Verdict::kNotDistinguishable:
      return "neither";
    case Verdict::kNotComparable:
      break;
  }
  return "unknown";
}

Json ComparisonsJson(const ReportInput& input, const Analysis& analysis) {
  Json list = Json::array();
  for (const Comparison& comparison : analysis.comparisons) {
    const PairedDifference& difference = comparison.difference;
    Json json = {
        {"a", comparison.a},
        {"b", comparison.b},
        {"difference", EstimateJson(difference.difference)},
        {"verdict", VerdictName(VerdictOf(difference, comparison.p, input.larger_is_better))},
        {"text", VerdictText(analysis.combinations[comparison.a].label,
                             analysis.combinations[comparison.b].label, difference, comparison.p,
                             input.larger_is_better)}};
    if (difference.p) json["p"] = Rounded(*difference.p, 3);
    if (comparison.p) json["adjusted"] = Rounded(*comparison.p, 3);
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

std::string PageJson(const ReportInput& input, const Analysis& analysis) {
  Json topologies = Json::array();
  const Json combinations = CombinationsJson(analysis, &topologies);
  Json phases = Json::array();
  for (Phase phase :
       {Phase::kData, Phase::kForward, Phase::kBackward, Phase::kUpdate, Phase::kWait}) {
    phases.push_back(std::string(PhaseName(phase)));
  }
  const Json json = {{"title", input.title},
                     {"columns", input.columns},
                     {"metric", input.metric},
                     {"larger_is_better", input.larger_is_better},
                     {"any_simulated", analysis.any_simulated},
                     {"any_measured", analysis.any_measured},
                     {"phases", phases},
                     {"combinations", combinations},
                     {"runs", RunsJson(input, analysis)},
                     {"topologies", topologies},
                     {"all_pairs", analysis.all_pairs},
                     {"comparisons", ComparisonsJson(input, analysis)},
                     {"commands", input.commands},
                     {"config", input.config_text}};
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return absl::StrReplaceAll(text, {{"<", "\\u003c"}});  // only strings hold any
}

std::string PageHtml(const ReportInput& input, const Analysis& analysis) {
  // In one pass, so that nothing is looked for in what is filled in.
  return absl::StrReplaceAll(kPageHtml, {{"{{title}}", XmlEscaped(input.title)},
                                         {"{{style}}", kPageStyle},
                                         {"{{data}}", PageJson(input, analysis)},
                                         {"{{chart_licence}}", kChartLicence},
                                         {"{{chart_script}}", kChartScript},
                                         {"{{script}}", kPageScript}});
}

}  // namespace starling
