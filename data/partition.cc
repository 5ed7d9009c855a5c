#include "data/partition.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/state.h"
#include "glog/logging.h"

namespace starling {

uint64_t Fingerprint(const Assignment& assignment) {
  std::vector<uint64_t> numbers = {assignment.shared ? 1u : 0u, assignment.owned.size()};
  for (const std::vector<int64_t>& examples : assignment.owned) {
    numbers.push_back(examples.size());
    numbers.insert(numbers.end(), examples.begin(), examples.end());
  }
  return CombineDigests(numbers);
}

std::string ClassTable(const Assignment& assignment, absl::Span<const int32_t> labels,
                       int64_t classes, int max_lines) {
  if (assignment.shared || labels.empty()) return "";
  const int64_t workers = static_cast<int64_t>(assignment.owned.size());
  const int64_t lines = std::min<int64_t>(workers, max_lines);
  std::vector<std::vector<int64_t>> counts(lines, std::vector<int64_t>(classes, 0));
  int64_t largest = classes - 1;  // the headings are numbers too
  for (int64_t worker = 0; worker < lines; ++worker) {
    for (int64_t example : assignment.owned[worker]) {
      largest = std::max(largest, ++counts[worker][labels[example]]);
    }
  }

  constexpr int kRoom = 80 - 16;  // beside the columns "worker" and "examples"
  const int width = static_cast<int>(absl::StrCat(largest).size()) + 1;
  const int others_width = std::max(width, 8);
  const bool all_fit = classes * width <= kRoom;
  const int64_t shown = all_fit ? classes : (kRoom - others_width) / width;

  std::string table = absl::StrFormat("%6s%10s", "worker", "examples");
  for (int64_t c = 0; c < shown; ++c) absl::StrAppendFormat(&table, "%*d", width, c);
  if (!all_fit) absl::StrAppendFormat(&table, "%*s", others_width, "others");
  table += "\n";
  for (int64_t worker = 0; worker < lines; ++worker) {
    int64_t others = static_cast<int64_t>(assignment.owned[worker].size());
    absl::StrAppendFormat(&table, "%6d%10d", worker, others);
    for (int64_t c = 0; c < shown; ++c) {
      absl::StrAppendFormat(&table, "%*d", width, counts[worker][c]);
      others -= counts[worker][c];
    }
    if (!all_fit) absl::StrAppendFormat(&table, "%*d", others_width, others);
    table += "\n";
  }
  if (lines < workers) absl::StrAppend(&table, "   ... and ", workers - lines, " more workers\n");
  return table;
}

absl::Status CheckHasLabels(const Partition::Context& context, absl::string_view name) {
  if (!context.labels.empty()) {
    CHECK_EQ(static_cast<int64_t>(context.labels.size()), context.examples);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("partition \"", name,
                   "\" divides the examples by their labels, and this data set has none; "
                   "partition \"iid\" needs none"));
}

std::vector<std::vector<int64_t>> ExamplesByClass(absl::Span<const int32_t> labels,
                                                  int64_t classes) {
  std::vector<std::vector<int64_t>> by_class(classes);
  for (size_t example = 0; example < labels.size(); ++example) {
    const int32_t label = labels[example];
    CHECK(label >= 0 && label < classes) << "example " << example << " has label " << label;
    by_class[label].push_back(static_cast<int64_t>(example));
  }
  return by_class;
}

}  // namespace starling
