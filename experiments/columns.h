// Two-column text for terminals.
#ifndef EXPERIMENTS_COLUMNS_H_
#define EXPERIMENTS_COLUMNS_H_

#include <string>

namespace starling {

// Returns "  left  right\n" with `right` beginning at `column` (counted from 0) and wrapped to 80
// columns, and never an empty rest of a line.
std::string RowText(const std::string& left, const std::string& right, int column);

}  // namespace starling

#endif  // EXPERIMENTS_COLUMNS_H_
