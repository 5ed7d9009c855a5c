#include "experiments/predict_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "experiments/columns.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

// With four digits or the tenth of a ms, whichever is less to read.
std::string Ms(double ms) { return absl::StrFormat(ms < 1000 ? "%.1f" : "%.0f", ms); }

// Algorithms that take the same time over the same topologies.
struct Block {
  std::vector<std::string> algorithms;
  std::vector<const PredictedRow*> rows;  // the fastest first
};

bool SameRows(const Block& a, const Block& b) {
  return std::equal(a.rows.begin(), a.rows.end(), b.rows.begin(), b.rows.end(),
                    [](const PredictedRow* x, const PredictedRow* y) {
                      return x->topology == y->topology && x->step.mean_ms == y->step.mean_ms;
                    });
}

// All-Reduce first, then the one with the fastest row.
std::vector<Block> BlocksOf(const PredictionTable& table) {
  std::vector<Block> single;
  for (const PredictedRow& row : table.rows) {
    const auto same = [&](const Block& block) { return block.algorithms[0] == row.algorithm; };
    auto block = std::find_if(single.begin(), single.end(), same);
    if (block == single.end()) block = single.insert(single.end(), {{row.algorithm}, {}});
    block->rows.push_back(&row);
  }
  std::vector<Block> blocks;
  for (const Block& block : single) {
    const auto same = [&](const Block& other) { return SameRows(block, other); };
    const auto found = std::find_if(blocks.begin(), blocks.end(), same);
    if (found == blocks.end()) {
      blocks.push_back(block);
    } else {
      found->algorithms.push_back(block.algorithms[0]);
    }
  }
  std::stable_partition(blocks.begin(), blocks.end(),
                        [](const Block& block) { return block.algorithms[0] == "allreduce"; });
  return blocks;
}

std::string Line(const PredictedRow& row, bool unsure) {
  const StepPrediction& step = row.step;
  const std::string interval =
      unsure ? absl::StrCat("+-", Ms((step.high_ms - step.low_ms) / 2)) : "";
  const absl::string_view regime = absl::StripSuffix(RegimeName(step.regime), "-bound");
  const double more = 100 * (row.speedup - 1);
  return absl::StrFormat("%-20s%8s%-6s%8s%9s  %-13s%8.3f%6s\n", row.topology, Ms(step.mean_ms),
                         interval, Ms(step.p99_ms), Ms(step.exposed_ms), std::string(regime),
                         row.speedup, more > 0.5 ? absl::StrFormat("+%.0f%%", more) : "-");
}

}  // namespace

std::string PredictionText(const PredictionInput& input, const PredictionTable& table,
                           const std::vector<std::string>& left_out) {
  const ClusterSpec& cluster = input.cluster;
  const int per_node = cluster.workers_per_node();
  const int nodes = (input.workers + per_node - 1) / per_node;
  std::string text =
      absl::StrFormat("%s: %d worker%s on %d machine%s\n", cluster.name(), input.workers,
                      input.workers == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s");
  absl::StrAppend(&text, RowText("figures", cluster.source(), 12));
  absl::StrAppend(
      &text,
      RowText("model",
              absl::StrFormat("%s: %.4g MB in %d bucket%s, computing %.4g ms, update %.4g ms",
                              input.model.name(), ModelMb(input.model), input.model.bucket_size(),
                              input.model.bucket_size() == 1 ? "" : "s",
                              ComputeMs(input.model, input.workers), input.model.update_ms()),
              12));
  for (const std::string& note : input.notes) absl::StrAppend(&text, RowText("note", note, 12));
  const bool unsure = table.all_reduce.high_ms > table.all_reduce.low_ms;
  absl::StrAppend(&text, "\n",
                  absl::StrFormat("%-20s%8s%-6s%8s%9s  %-13s%8s%6s\n", "topology", "step ms", "",
                                  "p99 ms", "exposed", "bound by", "speedup", "steps"));
  for (const Block& block : BlocksOf(table)) {
    absl::StrAppend(&text, RowText("", absl::StrJoin(block.algorithms, ", "), 3));
    for (const PredictedRow* row : block.rows) absl::StrAppend(&text, Line(*row, unsure));
  }
  absl::StrAppend(
      &text, "\n",
      absl::StrFormat("No algorithm can be faster than its slowest worker computes, %s ms:\n"
                      "the speedup over All-Reduce (%s ms) is at most %.3f.\n",
                      Ms(table.bound_ms), Ms(table.all_reduce.mean_ms), table.most_speedup),
      "exposed: ms per step not spent on a worker's own computing. steps: how many\n"
      "more an algorithm may need for the same result before All-Reduce wins.\n");
  if (unsure) {
    absl::StrAppend(&text, "+-: one standard deviation of the cluster's and model's figures.\n");
  }
  if (!left_out.empty()) absl::StrAppend(&text, "\nleft out\n");
  for (const std::string& line : left_out) absl::StrAppend(&text, RowText("", line, 3));
  return text;
}

std::string PredictionJson(const PredictionTable& table) {
  auto rows = nlohmann::ordered_json::array();
  for (const PredictedRow& row : table.rows) {
    rows.push_back({{"topology", row.topology},
                    {"algorithm", row.algorithm},
                    {"step_ms", row.step.mean_ms},
                    {"p99_ms", row.step.p99_ms},
                    {"exposed_ms", row.step.exposed_ms},
                    {"regime", RegimeName(row.step.regime)},
                    {"speedup", row.speedup}});
  }
  return rows.dump(1) + "\n";
}

}  // namespace starling
