#include "experiments/report/sweep_input.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "experiments/csv.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Row = std::vector<std::string>;

// Around the columns of the sweep.
const Row& First() {
  static const Row* row = new Row{"run_id", "status", "seed"};
  return *row;
}
const Row& Last() {
  static const Row* row = new Row{"eval_accuracy", "eval_loss", "wall_seconds", "state_digest"};
  return *row;
}

absl::Status ReadRuns(const std::string& sweep_dir, ReportInput* input) {
  const std::string path = absl::StrCat(sweep_dir, "/runs.csv");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const auto wrong = [&](size_t row, absl::string_view what) {
    return absl::DataLossError(absl::StrCat(path, ": row ", row + 1, ": ", what));
  };
  const auto rows = ParseCsv(text);
  if (!rows.ok()) {
    return absl::DataLossError(absl::StrCat(path, ": ", rows.status().message()));
  }
  const Row header = rows->empty() ? Row() : rows->front();
  const size_t around = First().size() + Last().size();
  if (header.size() < around || !std::equal(First().begin(), First().end(), header.begin()) ||
      !std::equal(Last().rbegin(), Last().rend(), header.rbegin())) {
    return wrong(0, absl::StrCat("the header must be ", absl::StrJoin(First(), ","), ",<columns>,",
                                 absl::StrJoin(Last(), ",")));
  }
  const auto columns = static_cast<std::ptrdiff_t>(header.size() - around);
  const auto first = static_cast<std::ptrdiff_t>(First().size());
  input->columns.assign(header.begin() + first, header.begin() + first + columns);
  for (size_t r = 1; r < rows->size(); ++r) {
    const Row& row = (*rows)[r];
    if (row.size() != header.size()) {
      return wrong(r, absl::StrCat("has ", row.size(), " fields, the header ", header.size()));
    }
    ReportRun run;
    run.id = row[0];
    run.status = row[1];
    if (!absl::SimpleAtoi(row[2], &run.seed)) {
      return wrong(r, absl::StrCat("\"", row[2], "\" is no seed; a whole number from 0 on is"));
    }
    run.values.assign(row.begin() + first, row.begin() + first + columns);
    run.directory = absl::StrCat(sweep_dir, "/runs/", run.id);
    input->runs.push_back(std::move(run));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReportInput> ReadSweep(const std::string& sweep_dir) {
  ReportInput input;
  RETURN_IF_ERROR(ReadRuns(sweep_dir, &input));
  ASSIGN_OR_RETURN(input.config_text, ReadFile(absl::StrCat(sweep_dir, "/sweep.textproto")));
  const std::string path = absl::StrCat(sweep_dir, "/sweep.json");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  try {
    const auto json = nlohmann::json::parse(text);
    input.title = json.at("title").get<std::string>();
    input.metric = json.at("metric").get<std::string>();
    input.larger_is_better = json.at("larger_is_better").get<bool>();
    input.commands = json.at("commands").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& error) {
    return absl::DataLossError(absl::StrCat(
        path,
        " must hold \"title\", \"metric\", \"larger_is_better\" and \"commands\": ", error.what()));
  }
  return input;
}

}  // namespace starling
