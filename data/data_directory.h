// Where the files of a data set lie.
#ifndef DATA_DATA_DIRECTORY_H_
#define DATA_DATA_DIRECTORY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

struct UsualPlaces {
  std::vector<std::string> names;  // of directories below $STARLING_DATA
  std::string elsewhere;           // one more directory; may be empty
  std::string instead;             // how to get the files, "install them with ..."
};

// Returns `configured` (dataset.config.dir, relative to where the user stands), or else the first
// of the usual places that exists. NOT_FOUND says in the name of data set `dataset` what was looked
// for and what to do.
absl::StatusOr<std::string> FindDataDirectory(absl::string_view dataset,
                                              const std::string& configured,
                                              const UsualPlaces& places);

}  // namespace starling

#endif  // DATA_DATA_DIRECTORY_H_
