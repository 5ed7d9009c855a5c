#include "experiments/replay/report.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"

namespace starling {
namespace {

// With all digits: a difference may be in the last one.
std::string Number(std::optional<double> value) {
  if (!value) return "nothing";
  if (std::isnan(*value)) return "no number";
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof(text), *value).ptr);
}

}  // namespace

std::string DifferenceText(const MetricDifference& difference, absl::string_view a,
                           absl::string_view b) {
  std::string where = absl::StrCat("step ", difference.key.step);
  if (difference.key.worker >= 0) absl::StrAppend(&where, ", worker ", difference.key.worker);
  return absl::StrCat(where, ", ", difference.key.name, ": ", Number(difference.a), " ", a, ", ",
                      Number(difference.b), " ", b);
}

std::string CountsText(const TrailDifference& difference) {
  return absl::StrCat(difference.differing_workers, " of ", difference.workers, " workers and ",
                      difference.differing_tensors, " of ", difference.tensors,
                      " tensors differ there");
}

}  // namespace starling
