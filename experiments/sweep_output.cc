#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "experiments/columns.h"
#include "experiments/svg.h"
#include "experiments/sweep_map.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

constexpr char kAllReduce[] = "allreduce";

// The points as panels of rows and columns: of one axis a row, of two a panel, of more a panel for
// each of their values.
struct Panel {
  std::string title;
  size_t first;  // index of its first point in steps of row_step and column_step
};

struct Panels {
  explicit Panels(const CrossoverMap& map) : row_axis(map.axes.size() > 1 ? 0 : -1) {
    column_axis = row_axis + 1;
    rows = row_axis < 0 ? 1 : map.axes[row_axis].values.size();
    columns = map.axes[column_axis].values.size();
    size_t count = 1;  // panels
    for (size_t a = column_axis + 1; a < map.axes.size(); ++a) count *= map.axes[a].values.size();
    column_step = count;
    row_step = count * columns;
    for (size_t p = 0; p < count; ++p) {
      std::vector<std::string> title;
      for (size_t a = column_axis + 1; a < map.axes.size(); ++a) {
        title.push_back(absl::StrFormat("%s %g", map.axes[a].name, map.points[p].at[a]));
      }
      panels.push_back({absl::StrJoin(title, ", "), p});
    }
  }

  const SweepPoint& At(const CrossoverMap& map, const Panel& panel, size_t row,
                       size_t column) const {
    return map.points[panel.first + row * row_step + column * column_step];
  }

  int row_axis, column_axis;
  size_t rows, columns, row_step, column_step;
  std::vector<Panel> panels;
};

char LetterOf(const CrossoverMap& map, const std::string& winner) {
  if (winner == kAllReduce) return '-';
  const auto at = std::find(map.winners.begin(), map.winners.end(), winner);
  return static_cast<char>('A' + (at - map.winners.begin()) % 26);
}

// Of the winner at `index` of map.winners.
const char* ColourOf(const CrossoverMap& map, const std::string& winner) {
  if (winner == kAllReduce) return "#8a8f98";
  const auto at = std::find(map.winners.begin(), map.winners.end(), winner);
  return SvgColour(static_cast<size_t>(at - map.winners.begin()));
}

}  // namespace

std::string SweepText(const CrossoverMap& map) {
  const Panels panels(map);
  const SweepAxis& columns = map.axes[panels.column_axis];
  std::string text = absl::StrCat("Fastest of all-reduce and ", map.algorithm,
                                  " over each topology; all-reduce's time over\n"
                                  "that of the best topology\n");
  for (const Panel& panel : panels.panels) {
    absl::StrAppend(&text, "\n", panel.title, panel.title.empty() ? "" : "\n");
    const std::string row_name = panels.row_axis < 0 ? "" : map.axes[panels.row_axis].name;
    absl::StrAppend(&text, absl::StrFormat("%16s  %s\n%16s", "", columns.name, row_name));
    for (const double value : columns.values) absl::StrAppend(&text, absl::StrFormat("%9g", value));
    absl::StrAppend(&text, "\n");
    for (size_t r = 0; r < panels.rows; ++r) {
      absl::StrAppend(&text, panels.row_axis < 0
                                 ? std::string(16, ' ')
                                 : absl::StrFormat("%16g", map.axes[panels.row_axis].values[r]));
      for (size_t c = 0; c < panels.columns; ++c) {
        const SweepPoint& point = panels.At(map, panel, r, c);
        absl::StrAppend(&text,
                        absl::StrFormat("  %c %5.2f", LetterOf(map, point.winner), point.speedup));
      }
      absl::StrAppend(&text, "\n");
    }
  }
  absl::StrAppend(&text, "\n");
  for (const std::string& winner : map.winners) {
    absl::StrAppend(&text, "  ", std::string(1, LetterOf(map, winner)), "  ", winner, "\n");
  }
  for (const std::string& note : map.notes) absl::StrAppend(&text, RowText("note", note, 12));
  return text;
}

std::string SweepCsv(const CrossoverMap& map) {
  std::string text;
  for (const SweepAxis& axis : map.axes) absl::StrAppend(&text, axis.name, ",");
  absl::StrAppend(&text, "winner,algorithm,all_reduce_ms,winner_ms,speedup\n");
  for (const SweepPoint& point : map.points) {
    for (const double value : point.at) absl::StrAppend(&text, absl::StrFormat("%g,", value));
    absl::StrAppend(&text, absl::StrFormat("%s,%s,%.4f,%.4f,%.4f\n", point.winner,
                                           point.winner == kAllReduce ? kAllReduce : map.algorithm,
                                           point.all_reduce_ms, point.winner_ms, point.speedup));
  }
  return text;
}

std::string SweepJson(const CrossoverMap& map) {
  auto points = nlohmann::ordered_json::array();
  for (const SweepPoint& point : map.points) {
    nlohmann::ordered_json entry;
    for (size_t a = 0; a < map.axes.size(); ++a) entry[map.axes[a].name] = point.at[a];
    entry["winner"] = point.winner;
    entry["algorithm"] = point.winner == kAllReduce ? kAllReduce : map.algorithm;
    entry["all_reduce_ms"] = point.all_reduce_ms;
    entry["winner_ms"] = point.winner_ms;
    entry["speedup"] = point.speedup;
    points.push_back(std::move(entry));
  }
  return points.dump(1) + "\n";
}

std::string SweepSvg(const CrossoverMap& map) {
  constexpr double kCell = 58, kHeight = 28, kLeft = 74, kTop = 84, kGap = 64, kLegend = 22;
  const Panels panels(map);
  const SweepAxis& columns = map.axes[panels.column_axis];
  const std::string row_name = panels.row_axis < 0 ? "" : map.axes[panels.row_axis].name;
  const size_t across = panels.panels.size() > 1 ? 2 : 1;
  const size_t down = (panels.panels.size() + across - 1) / across;
  const double panel_width = kLeft + kCell * static_cast<double>(panels.columns) + 16;
  const double panel_height = kHeight * static_cast<double>(panels.rows) + kGap;
  const double width = std::max(panel_width * static_cast<double>(across), 520.0);
  const double legend_top = kTop + panel_height * static_cast<double>(down);
  const double height = legend_top + kLegend * static_cast<double>(map.winners.size()) + 8;
  std::string svg = SvgHead(width, height);
  absl::StrAppend(&svg,
                  SvgText(16, 26, "start", 16,
                          absl::StrCat("Who is faster: all-reduce or ", map.algorithm, "?")),
                  SvgText(16, 44, "start", 12,
                          "Number: all-reduce's step time over that of the best topology"));
  for (size_t p = 0; p < panels.panels.size(); ++p) {
    const Panel& panel = panels.panels[p];
    const double left = panel_width * static_cast<double>(p % across) + kLeft;
    const double top = kTop + panel_height * static_cast<double>(p / across);
    absl::StrAppend(&svg, SvgText(left, top - 10, "start", 13, panel.title));
    for (size_t r = 0; r < panels.rows; ++r) {
      const double y = top + kHeight * static_cast<double>(r);
      if (panels.row_axis >= 0) {
        absl::StrAppend(&svg, SvgText(left - 8, y + 18, "end", 12,
                                      absl::StrFormat("%g", map.axes[panels.row_axis].values[r])));
      }
      for (size_t c = 0; c < panels.columns; ++c) {
        const SweepPoint& point = panels.At(map, panel, r, c);
        const double x = left + kCell * static_cast<double>(c);
        const double strength = std::min(1.0, std::abs(std::log(point.speedup)) / std::log(2.0));
        absl::StrAppend(
            &svg,
            absl::StrFormat(
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                "fill-opacity=\"%.2f\" stroke=\"#ffffff\"/>\n",
                x, y, kCell, kHeight, ColourOf(map, point.winner), 0.25 + 0.5 * strength),
            SvgText(x + kCell / 2, y + 18, "middle", 12, absl::StrFormat("%.2f", point.speedup)));
      }
    }
    const double bottom = top + kHeight * static_cast<double>(panels.rows);
    for (size_t c = 0; c < panels.columns; ++c) {
      absl::StrAppend(&svg, SvgText(left + kCell * (static_cast<double>(c) + 0.5), bottom + 15,
                                    "middle", 12, absl::StrFormat("%g", columns.values[c])));
    }
    absl::StrAppend(&svg, SvgText(left + kCell * static_cast<double>(panels.columns) / 2,
                                  bottom + 32, "middle", 12, columns.name));
    absl::StrAppend(&svg, SvgTextUpwards(left - 48, (top + bottom) / 2, 12, row_name));
  }
  for (size_t w = 0; w < map.winners.size(); ++w) {
    const double y = legend_top + kLegend * static_cast<double>(w);
    const std::string& winner = map.winners[w];
    absl::StrAppend(
        &svg,
        absl::StrFormat("<rect x=\"%.0f\" y=\"%.1f\" width=\"16\" height=\"14\" fill=\"%s\" "
                        "fill-opacity=\"0.75\"/>\n",
                        kLeft, y, ColourOf(map, winner)),
        SvgText(kLeft + 24, y + 12, "start", 12,
                winner == kAllReduce ? winner : absl::StrCat(map.algorithm, " over ", winner)));
  }
  return absl::StrCat(svg, "</svg>\n");
}

}  // namespace starling
