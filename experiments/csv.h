// Tables as text, by RFC 4180: fields with commas, quotes or line ends stand in quotes.
#ifndef EXPERIMENTS_CSV_H_
#define EXPERIMENTS_CSV_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

// One row with a line feed at its end, as Unix tools expect.
std::string CsvRow(const std::vector<std::string>& fields);

// All rows; lines may end in a carriage return, too, and the last one need not end. Empty lines are
// no rows. INVALID_ARGUMENT with the line: a quote that is not closed, or what follows a closed
// one.
absl::StatusOr<std::vector<std::vector<std::string>>> ParseCsv(absl::string_view text);

}  // namespace starling

#endif  // EXPERIMENTS_CSV_H_
