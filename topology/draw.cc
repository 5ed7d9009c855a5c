#include "topology/draw.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "glog/logging.h"
#include "topology/fraction.h"

namespace starling {
namespace {

constexpr int kLargestWorld = 99;

// A line of terminal cells; each holds one character, which may take several bytes.
using Cells = std::vector<std::string>;

std::string Join(const Cells& cells) {
  size_t length = cells.size();
  while (length > 0 && cells[length - 1] == " ") --length;
  return absl::StrJoin(cells.begin(), cells.begin() + length, "");
}

// Puts the groups into lanes, one below the other, such that no two in one lane overlap; short
// ones on top, so that few lines cross.
std::vector<std::vector<std::vector<int>>> Lanes(std::vector<std::vector<int>> groups) {
  std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
    return a.back() - a.front() < b.back() - b.front();
  });
  std::vector<std::vector<std::vector<int>>> lanes;
  for (const std::vector<int>& group : groups) {
    if (group.size() == 1) continue;
    const auto fits = [&](const std::vector<std::vector<int>>& lane) {
      return std::all_of(lane.begin(), lane.end(), [&](const std::vector<int>& other) {
        return other.back() < group.front() || group.back() < other.front();
      });
    };
    auto lane = std::find_if(lanes.begin(), lanes.end(), fits);
    if (lane == lanes.end()) lane = lanes.emplace(lanes.end());
    lane->push_back(group);
  }
  return lanes;
}

std::string WeightText(double weight) {
  const auto fraction = Fraction::Recognise(weight);
  // Fractions with long terms say less than digits.
  if (fraction.has_value() && fraction->ToString().size() <= 7) return fraction->ToString();
  return absl::StrFormat("%.3g", weight);
}

}  // namespace

std::vector<std::string> DrawGroups(const MixingRound& round, int workers_per_node) {
  const int n = round.workers();
  CHECK(!round.groups().empty() && n <= kLargestWorld);
  const bool brackets = workers_per_node > 1;
  const int width = n > 10 ? 4 : 3;                                        // of a worker's cell
  const auto column = [&](int rank) { return rank * width + width - 2; };  // of its last digit

  std::string header;
  for (int rank = 0; rank < n; ++rank) {
    const bool opens = rank % workers_per_node == 0;
    const bool closes = (rank + 1) % workers_per_node == 0 || rank + 1 == n;
    absl::StrAppendFormat(&header, "%s%*d%s", brackets && opens ? "[" : " ", width - 2, rank,
                          brackets && closes ? "]" : " ");
  }
  std::vector<std::string> lines = {header.substr(0, header.find_last_not_of(' ') + 1)};

  const auto lanes = Lanes({round.groups().begin(), round.groups().end()});
  for (size_t drawn = 0; drawn < lanes.size(); ++drawn) {
    Cells cells(static_cast<size_t>(n) * width, " ");
    for (const std::vector<int>& group : lanes[drawn]) {
      std::fill(&cells[column(group.front())], &cells[column(group.back())], "─");
      for (int rank : group) cells[column(rank)] = "┴";
      cells[column(group.front())] = "╰";
      cells[column(group.back())] = "╯";
    }
    // What goes on to the lanes below.
    for (size_t below = drawn + 1; below < lanes.size(); ++below) {
      for (const std::vector<int>& group : lanes[below]) {
        for (int rank : group) {
          std::string& cell = cells[column(rank)];
          cell = cell == " " ? "│" : "┼";
        }
      }
    }
    lines.push_back(Join(cells));
  }
  return lines;
}

std::vector<std::string> DrawMatrix(const MixingRound& round) {
  const int n = round.workers();
  CHECK_LE(n, kLargestWorld);
  // Shades by weight, the largest darkest. Weights that print alike are alike.
  std::map<double, std::string> texts;
  for (int rank = 0; rank < n; ++rank) {
    for (const Edge& edge : round.in(rank)) texts[edge.weight] = WeightText(edge.weight);
  }
  std::vector<std::string> distinct;
  for (const auto& [weight, text] : texts) {
    if (distinct.empty() || distinct.back() != text) distinct.push_back(text);
  }
  // Few weights get shades that are easy to tell apart.
  const std::vector<std::string> shades =
      distinct.size() == 1   ? std::vector<std::string>{"██"}
      : distinct.size() == 2 ? std::vector<std::string>{"▒▒", "██"}
      : distinct.size() == 3 ? std::vector<std::string>{"░░", "▒▒", "██"}
                             : std::vector<std::string>{"░░", "▒▒", "▓▓", "██"};
  const auto shade_of = [&](size_t index) { return index * shades.size() / distinct.size(); };

  std::string header = "   ";
  for (int rank = 0; rank < n; ++rank) absl::StrAppendFormat(&header, " %-2d", rank);
  std::vector<std::string> lines = {header.substr(0, header.find_last_not_of(' ') + 1)};
  for (int to = 0; to < n; ++to) {
    Cells cells(n, "· ");
    for (const Edge& edge : round.in(to)) {
      const auto index = std::find(distinct.begin(), distinct.end(), texts[edge.weight]);
      cells[edge.from] = shades[shade_of(index - distinct.begin())];
    }
    std::string line = absl::StrFormat("%2d  %s", to, absl::StrJoin(cells, " "));
    if (line.back() == ' ') line.pop_back();
    lines.push_back(std::move(line));
  }
  std::vector<std::string> legend;
  for (size_t shade = 0; shade < shades.size(); ++shade) {
    std::vector<std::string> meant;
    for (size_t i = 0; i < distinct.size(); ++i) {
      if (shade_of(i) == shade) meant.push_back(distinct[i]);
    }
    if (meant.size() == 1) legend.push_back(absl::StrCat(shades[shade], " ", meant[0]));
    if (meant.size() > 1) {
      legend.push_back(absl::StrCat(shades[shade], " ", meant.front(), " to ", meant.back()));
    }
  }
  lines.push_back(absl::StrJoin(legend, "   "));
  return lines;
}

std::vector<std::string> ListGroups(const MixingRound& round, int columns) {
  std::vector<std::string> lines;
  for (const std::vector<int>& group : round.groups()) {
    std::vector<std::string> words;
    for (int rank : group) words.push_back(absl::StrCat(rank));
    words.front() = absl::StrCat("{", words.front());
    words.back() += "}";
    // A group may break between its members.
    for (const std::string& word : words) {
      if (lines.empty() || static_cast<int>(lines.back().size() + 1 + word.size()) > columns) {
        lines.push_back(word);
      } else {
        absl::StrAppend(&lines.back(), " ", word);
      }
    }
  }
  return lines;
}

}  // namespace starling
