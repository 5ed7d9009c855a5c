#include "experiments/report/line_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "experiments/csv.h"
#include "experiments/svg.h"

namespace starling {
namespace {

constexpr double kWidth = 420, kHeight = 260, kLeft = 66, kTop = 16, kRight = 16;
constexpr double kLogarithmicFrom = 20;  // largest mean over smallest

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

// From numbers to places on the paper.
class Scale {
 public:
  Scale(double low, double high, bool logarithmic, double from, double to)
      : low_(low), high_(high), logarithmic_(logarithmic), from_(from), to_(to) {
    if (high_ > low_) return;
    // One value only stands in the middle.
    low_ = logarithmic ? low / 2 : low - 0.5;
    high_ = logarithmic ? high * 2 : high + 0.5;
  }

  // Beyond the ends: at the end.
  double At(double value) const {
    const double share = (Of(std::clamp(value, low_, high_)) - Of(low_)) / (Of(high_) - Of(low_));
    return from_ + share * (to_ - from_);
  }

  std::vector<double> Marks() const {
    if (!logarithmic_) return Ticks(low_, high_, 5);
    const bool many = std::log10(high_ / low_) > 3;
    std::vector<double> marks;
    for (double decade = std::pow(10, std::floor(std::log10(low_))); decade <= high_;
         decade *= 10) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double mark = decade * factor;
        if ((factor == 1 || !many) && mark >= low_ && mark <= high_) marks.push_back(mark);
      }
    }
    return marks;
  }

 private:
  double Of(double value) const { return logarithmic_ ? std::log(value) : value; }

  double low_, high_;
  bool logarithmic_;
  double from_, to_;
};

struct Range {
  double low = INFINITY, high = -INFINITY;

  void Add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// The series' runs of finite points, as indices [first, last).
std::vector<std::pair<size_t, size_t>> Pieces(const ChartSeries& series) {
  std::vector<std::pair<size_t, size_t>> pieces;
  for (size_t i = 0; i < series.mean.size(); ++i) {
    if (!std::isfinite(series.mean[i])) continue;
    if (!pieces.empty() && pieces.back().second == i) {
      ++pieces.back().second;
    } else {
      pieces.emplace_back(i, i + 1);
    }
  }
  return pieces;
}

std::string Drawn(const ChartSeries& series, const char* colour, const Scale& x, const Scale& y) {
  std::string svg;
  const auto place = [&](size_t i, double value) {
    return absl::StrFormat("%.1f,%.1f", x.At(series.x[i]), y.At(value));
  };
  for (const auto& [first, last] : Pieces(series)) {
    std::vector<std::string> band, line;
    for (size_t i = first; i < last; ++i) line.push_back(place(i, series.mean[i]));
    if (!series.half_width.empty()) {
      for (size_t i = first; i < last; ++i) {
        band.push_back(place(i, series.mean[i] + series.half_width[i]));
      }
      for (size_t i = last; i-- > first;) {
        band.push_back(place(i, series.mean[i] - series.half_width[i]));
      }
      absl::StrAppend(&svg, "<polygon fill=\"", colour, "\" fill-opacity=\"0.18\" points=\"",
                      absl::StrJoin(band, " "), "\"/>\n");
    }
    absl::StrAppend(&svg, "<polyline fill=\"none\" stroke=\"", colour,
                    "\" stroke-width=\"1.6\" stroke-linejoin=\"round\" points=\"",
                    absl::StrJoin(line, " "), "\"/>\n");
  }
  return svg;
}

}  // namespace

std::vector<double> Ticks(double low, double high, int count) {
  double step = std::pow(10, std::floor(std::log10((high - low) / count)));
  for (const double factor : {2.0, 2.5, 2.0}) {  // 1, 2, 5, 10
    if ((high - low) / step > count) step *= factor;
  }
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) {
    ticks.push_back(i * step + 0.0);  // not -0
  }
  return ticks;
}

std::string LineChartSvg(const LineChart& chart) {
  Range xs, means, ys;
  for (const ChartSeries& series : chart.series) {
    for (size_t i = 0; i < series.mean.size(); ++i) {
      const double half = series.half_width.empty() ? 0 : series.half_width[i];
      if (!std::isfinite(series.mean[i])) continue;
      xs.Add(series.x[i]);
      means.Add(series.mean[i]);
      ys.Add(series.mean[i] - half);
      ys.Add(series.mean[i] + half);
    }
  }
  const bool logarithmic = means.low > 0 && means.high / means.low > kLogarithmicFrom;
  if (logarithmic) ys.low = std::max(ys.low, means.low / 2);  // a band may reach below zero
  const double row = 18;
  const double height =
      kTop + kHeight + 52 + row * static_cast<double>((chart.series.size() + 1) / 2);
  std::string svg = SvgHead(kLeft + kWidth + kRight, height);
  if (!(means.low <= means.high)) return absl::StrCat(svg, "</svg>\n");
  const Scale x(xs.low, xs.high, false, kLeft, kLeft + kWidth);
  const Scale y(ys.low, ys.high, logarithmic, kTop + kHeight, kTop);
  for (const double mark : y.Marks()) {
    absl::StrAppend(&svg,
                    absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                                    "stroke=\"#e3e5e8\"/>\n",
                                    kLeft, kLeft + kWidth, y.At(mark), y.At(mark)),
                    SvgText(kLeft - 6, y.At(mark) + 4, "end", 11, absl::StrFormat("%g", mark)));
  }
  for (const double mark : x.Marks()) {
    absl::StrAppend(
        &svg, SvgText(x.At(mark), kTop + kHeight + 16, "middle", 11, absl::StrFormat("%g", mark)));
  }
  for (size_t s = 0; s < chart.series.size(); ++s) {
    absl::StrAppend(&svg, Drawn(chart.series[s], SvgColour(s), x, y));
    const double left = kLeft + (s % 2) * kWidth / 2;
    const double top = kTop + kHeight + 52 + row * static_cast<double>(s / 2);
    absl::StrAppend(&svg,
                    absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                                    "stroke=\"%s\" stroke-width=\"2.5\"/>\n",
                                    left, left + 18, top, top, SvgColour(s)),
                    SvgText(left + 24, top + 4, "start", 11, chart.series[s].label));
  }
  absl::StrAppend(&svg,
                  absl::StrFormat("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                                  "fill=\"none\" stroke=\"#9aa0a6\"/>\n",
                                  kLeft, kTop, kWidth, kHeight),
                  SvgText(kLeft + kWidth / 2, kTop + kHeight + 34, "middle", 12, chart.x_label),
                  SvgTextUpwards(14, kTop + kHeight / 2, 12, chart.y_label));
  return absl::StrCat(svg, "</svg>\n");
}

std::string LineChartCsv(const LineChart& chart) {
  std::string text = CsvRow({"series", "x", "mean", "low", "high"});
  for (const ChartSeries& series : chart.series) {
    for (size_t i = 0; i < series.mean.size(); ++i) {
      const bool band = !series.half_width.empty();
      const double half = band ? series.half_width[i] : 0;
      absl::StrAppend(&text, CsvRow({series.label, Number(series.x[i]), Number(series.mean[i]),
                                     band ? Number(series.mean[i] - half) : "",
                                     band ? Number(series.mean[i] + half) : ""}));
    }
  }
  return text;
}

}  // namespace starling
