#include "optim/algorithm.h"

namespace starling {

absl::Status Algorithm::OnMembership(const Membership&) {
  return absl::UnimplementedError("this algorithm cannot go on with fewer workers");
}

}  // namespace starling
