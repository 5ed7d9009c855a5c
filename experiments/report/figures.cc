#include "experiments/report/figures.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "experiments/csv.h"
#include "experiments/report/line_chart.h"
#include "experiments/svg.h"

namespace starling {
namespace {

// Curves in one figure, rows of the ranking: what one can tell apart on paper.
constexpr size_t kMostCurves = 8, kMostRows = 40;

struct Axis {
  const char *name, *label;
  std::vector<double> (*of)(const CurveGroup& group);
};

std::vector<double> Steps(const CurveGroup& group) {
  return {group.step.begin(), group.step.end()};
}

// The best combinations' curves of `metric`; fewer than two points are no curve.
LineChart ChartOf(const Analysis& analysis, const std::string& metric, const Axis& axis) {
  LineChart chart{axis.label, metric, {}};
  for (const Combination& combination : analysis.combinations) {
    if (chart.series.size() == kMostCurves) break;
    for (const CurveGroup& group : combination.curves) {
      const auto curve = group.curves.find(metric);
      if (curve == group.curves.end() || group.step.size() < 2) continue;
      chart.series.push_back(
          {combination.label, axis.of(group), curve->second.mean, curve->second.half_width});
    }
  }
  return chart;
}

// A mean with as many decimals as two significant digits of its interval have.
struct MeanDigits {
  std::string mean, half_width;
};

MeanDigits DigitsOf(const MeanEstimate& score) {
  const double half = score.interval ? score.interval->high - score.mean : 0;
  int decimals = 4;
  if (half > 0) decimals = 1 - static_cast<int>(std::floor(std::log10(half)));
  decimals = std::clamp(decimals, 0, 8);
  return {absl::StrFormat("%.*f", decimals, score.mean), absl::StrFormat("%.*f", decimals, half)};
}

std::string RankingSvg(const ReportInput& input, const std::vector<const Combination*>& ranked) {
  constexpr double kRow = 24, kTop = 44, kPlot = 340, kValue = 150;
  size_t longest = 0;
  double low = INFINITY, high = -INFINITY;
  for (const Combination* combination : ranked) {
    const MeanEstimate& score = combination->score;
    longest = std::max(longest, combination->label.size());
    low = std::min(low, score.interval ? score.interval->low : score.mean);
    high = std::max(high, score.interval ? score.interval->high : score.mean);
  }
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  const double left = 24 + 6.6 * static_cast<double>(longest);
  const double bottom = kTop + kRow * static_cast<double>(ranked.size());
  const auto at = [&](double value) { return left + kPlot * (value - low) / (high - low); };
  std::string svg = SvgHead(left + kPlot + kValue, bottom + 48);
  absl::StrAppend(&svg, SvgText(16, 24, "start", 14,
                                absl::StrCat(input.metric, ": mean and 95 % interval over seeds")));
  for (const double tick : Ticks(low, high, 6)) {
    absl::StrAppend(&svg,
                    absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                                    "stroke=\"#e3e5e8\"/>\n",
                                    at(tick), at(tick), kTop, bottom),
                    SvgText(at(tick), bottom + 16, "middle", 11, absl::StrFormat("%g", tick)));
  }
  for (size_t i = 0; i < ranked.size(); ++i) {
    const MeanEstimate& score = ranked[i]->score;
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    absl::StrAppend(&svg, SvgText(left - 10, y + 4, "end", 12, ranked[i]->label));
    const MeanDigits digits = DigitsOf(score);
    std::string value = digits.mean;
    if (score.interval) {
      absl::StrAppend(&svg, absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                                            "stroke=\"%s\" stroke-width=\"2\"/>\n",
                                            at(score.interval->low), at(score.interval->high), y, y,
                                            SvgColour(0)));
      absl::StrAppend(&value, " ± ", digits.half_width);
    }
    absl::StrAppend(&svg,
                    absl::StrFormat("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n",
                                    at(score.mean), y, SvgColour(0)),
                    SvgText(left + kPlot + 12, y + 4, "start", 12, value));
  }
  absl::StrAppend(&svg, SvgText(left + kPlot / 2, bottom + 36, "middle", 12, input.metric));
  return absl::StrCat(svg, "</svg>\n");
}

std::string RankingCsv(const ReportInput& input, const Analysis& analysis) {
  std::vector<std::string> header = input.columns;
  for (const char* name : {"seeds", "mean", "deviation", "low", "high"}) header.push_back(name);
  std::string text = CsvRow(header);
  for (const Combination& combination : analysis.combinations) {
    const MeanEstimate& score = combination.score;
    if (score.count == 0) continue;
    std::vector<std::string> row = combination.values;
    row.push_back(absl::StrCat(score.count));
    row.push_back(absl::StrFormat("%.10g", score.mean));
    row.push_back(score.deviation ? absl::StrFormat("%.10g", *score.deviation) : "");
    row.push_back(score.interval ? absl::StrFormat("%.10g", score.interval->low) : "");
    row.push_back(score.interval ? absl::StrFormat("%.10g", score.interval->high) : "");
    absl::StrAppend(&text, CsvRow(row));
  }
  return text;
}

std::string TexEscaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\textbackslash{}"},
                                    {"&", "\\&"},
                                    {"%", "\\%"},
                                    {"$", "\\$"},
                                    {"#", "\\#"},
                                    {"_", "\\_"},
                                    {"{", "\\{"},
                                    {"}", "\\}"},
                                    {"~", "\\textasciitilde{}"},
                                    {"^", "\\textasciicircum{}"}});
}

std::string TexMean(const MeanEstimate& score, bool bold) {
  const MeanDigits digits = DigitsOf(score);
  std::string mean = digits.mean;
  if (bold) mean = absl::StrCat("\\mathbf{", mean, "}");
  if (score.interval) absl::StrAppend(&mean, " \\pm ", digits.half_width);
  return absl::StrCat("$", mean, "$");
}

std::string TexNumber(const Combination& combination, const std::string& name, double scale) {
  const auto found = combination.numbers.find(name);
  if (found == combination.numbers.end()) return "--";
  return absl::StrFormat("%.4g", found->second * scale);
}

}  // namespace

std::vector<NamedText> Figures(const ReportInput& input, const Analysis& analysis) {
  std::set<std::string> metrics;
  for (const Combination& combination : analysis.combinations) {
    for (const CurveGroup& group : combination.curves) {
      for (const auto& [metric, curve] : group.curves) metrics.insert(metric);
    }
  }
  const char* seconds = !analysis.any_simulated  ? "seconds"
                        : !analysis.any_measured ? "simulated seconds"
                                                 : "seconds, simulated where the run is";
  const Axis axes[] = {
      {"steps", "steps", Steps},
      {"seconds", seconds, [](const CurveGroup& group) { return group.seconds; }},
      {"megabytes", "MB sent per worker", [](const CurveGroup& group) { return group.megabytes; }}};
  std::vector<NamedText> files;
  for (const std::string& metric : metrics) {
    if (absl::StartsWith(metric, "time/")) continue;  // of this machine, not of the method
    for (const Axis& axis : axes) {
      const LineChart chart = ChartOf(analysis, metric, axis);
      if (chart.series.empty()) continue;
      const std::string name =
          absl::StrCat(absl::StrReplaceAll(metric, {{"/", "_"}}), "_over_", axis.name);
      files.push_back({name + ".svg", LineChartSvg(chart)});
      files.push_back({name + ".csv", LineChartCsv(chart)});
    }
  }
  std::vector<const Combination*> ranked;
  for (const Combination& combination : analysis.combinations) {
    if (combination.score.count > 0 && ranked.size() < kMostRows) ranked.push_back(&combination);
  }
  if (!ranked.empty()) {
    files.push_back({"ranking.svg", RankingSvg(input, ranked)});
    files.push_back({"ranking.csv", RankingCsv(input, analysis)});
  }
  files.push_back({"results.tex", ResultsTex(input, analysis)});
  return files;
}

std::string ResultsTex(const ReportInput& input, const Analysis& analysis) {
  const bool bold = BestIsDistinguishable(analysis, input.larger_is_better);
  std::vector<std::string> heads;
  for (const std::string& column : input.columns) heads.push_back(TexEscaped(column));
  if (heads.empty()) heads.push_back("run");
  std::string text = absl::StrCat(
      "% Needs \\usepackage{booktabs}. Mean over seeds and 95 % interval (Student's t)",
      bold ? "; bold: better than\n% every other row (paired t tests, Holm's correction).\n"
           : "; no row is\n% better than every other one (paired t tests, Holm's correction).\n");
  const char* seconds =
      analysis.any_simulated && !analysis.any_measured ? "sim_seconds" : "wall_seconds";
  absl::StrAppend(&text, "\\begin{tabular}{", std::string(heads.size(), 'l'), "rrrr}\n\\toprule\n",
                  absl::StrJoin(heads, " & "), " & ", TexEscaped(input.metric), " & seeds & ",
                  analysis.any_simulated && !analysis.any_measured ? "simulated s" : "s",
                  " & MB per worker \\\\\n\\midrule\n");
  bool first = true;
  for (const Combination& combination : analysis.combinations) {
    if (combination.score.count == 0) {
      const std::string label = TexEscaped(combination.label);
      absl::StrAppend(&text, "% ", label, " is left out: no run of it is done\n");
      continue;
    }
    std::vector<std::string> cells;
    for (const std::string& value : combination.values) cells.push_back(TexEscaped(value));
    if (cells.empty()) cells.push_back(TexEscaped(combination.label));
    cells.push_back(TexMean(combination.score, bold && first));
    cells.push_back(absl::StrCat(combination.score.count));
    cells.push_back(TexNumber(combination, seconds, 1));
    cells.push_back(TexNumber(combination, "bytes_sent_per_worker", 1e-6));
    absl::StrAppend(&text, absl::StrJoin(cells, " & "), " \\\\\n");
    first = false;
  }
  return absl::StrCat(text, "\\bottomrule\n\\end{tabular}\n");
}

}  // namespace starling
