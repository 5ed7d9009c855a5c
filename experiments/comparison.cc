#include "experiments/comparison.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace starling {
namespace {

// "low - high", with as many digits as fit into `width`: losses can be anything.
std::string SpreadText(const std::vector<double>& values, bool fractions, size_t width) {
  if (values.empty()) return "-";
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (fractions) return absl::StrFormat("%.4f - %.4f", *low, *high);
  std::string text;
  for (int digits = 4; digits > 0; --digits) {
    text = absl::StrFormat("%.*g - %.*g", digits, *low, digits, *high);
    if (text.size() <= width) break;
  }
  return text;
}

}  // namespace

std::string ComparisonTable(const std::vector<ArmResult>& arms) {
  bool classifies = false;
  for (const ArmResult& arm : arms) classifies |= arm.result.test.accuracy.has_value();
  const char* row = "%-11s %-11s %9s %17s %9s %10s %7s\n";
  const auto format = absl::ParsedFormat<'s', 's', 's', 's', 's', 's', 's'>(row);
  std::string text;
  absl::StrAppendFormat(&text, format, "arm", "status", classifies ? "accuracy" : "loss",
                        "over workers", "consensus", "MB sent", "seconds");
  absl::StrAppendFormat(&text, format, "", "", "(test)", "", "distance", "per worker", "");
  for (const ArmResult& arm : arms) {
    const RunResult& result = arm.result;
    std::string average = "-", spread = "-";
    // An arm may have changed the data set to one without classes.
    if (result.evaluated && result.test.accuracy.has_value() == classifies) {
      average = classifies ? absl::StrFormat("%.4f", *result.test.accuracy)
                           : absl::StrFormat("%.4g", result.test.loss);
      spread = SpreadText(classifies ? result.test.worker_accuracy : result.test.worker_loss,
                          classifies, /*width=*/17);
    }
    // A name that is too long for its column gets a line of its own.
    std::string name = arm.name;
    if (name.size() > 11) {
      absl::StrAppend(&text, name, "\n");
      name.clear();
    }
    const double megabytes = static_cast<double>(result.bytes_sent) / arm.config.workers() / 1e6;
    absl::StrAppendFormat(
        &text, format, name, RunStatusName(result.status), average, spread,
        absl::StrFormat("%.3g", result.consensus_distance), absl::StrFormat("%.4g", megabytes),
        absl::StrFormat(result.wall_seconds < 1e5 ? "%.1f" : "%.0f", result.wall_seconds));
  }
  absl::StrAppend(&text, classifies ? "Accuracy" : "Loss",
                  " is the averaged model's. All workers share this machine's cores, so\n"
                  "seconds say nothing about the speed of either method on a cluster.\n");
  return text;
}

}  // namespace starling
