#include "topology/world.h"

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling {

bool IsPowerOfTwo(int n) { return n > 0 && (n & (n - 1)) == 0; }

int CeilLog2(int n) {
  CHECK_GE(n, 1);
  int k = 0;
  while ((int64_t{1} << k) < n) ++k;
  return k;
}

absl::Status CheckWorld(absl::string_view topology, absl::string_view need, int workers,
                        absl::FunctionRef<bool(int)> legal, absl::string_view hint) {
  CHECK_GE(workers, 1);
  if (legal(workers)) return absl::OkStatus();
  int below = workers - 1, above = workers + 1;
  while (!legal(below)) {
    --below;
    CHECK_GE(below, 1) << topology << ": a world of one worker must be legal";
  }
  while (!legal(above)) ++above;
  return absl::InvalidArgumentError(absl::StrCat("topology \"", topology, "\" needs ", need,
                                                 ", not ", workers, "; nearest: ", below, " or ",
                                                 above, hint.empty() ? "" : "; ", hint));
}

}  // namespace starling
