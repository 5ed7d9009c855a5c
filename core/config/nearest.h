// "Did you mean": the nearest of several names to a misspelt one.
#ifndef CORE_CONFIG_NEAREST_H_
#define CORE_CONFIG_NEAREST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace starling {

// Returns the candidate with the smallest edit distance to `name`, upper and lower case being one,
// the first of equals; empty if none is nearer than half of the longer name's length.
std::string Nearest(absl::string_view name, const std::vector<std::string>& candidates);

// Returns the end of a sentence that complains about `name`: "; did you mean \"x\"?", or "." if
// nothing is near.
std::string DidYouMean(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace starling

#endif  // CORE_CONFIG_NEAREST_H_
