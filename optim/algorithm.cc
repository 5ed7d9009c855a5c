#include "optim/algorithm.h"

namespace starling {

absl::Status Algorithm::OnNewParameters() {
  return absl::UnimplementedError("this algorithm cannot go on from other parameters than its own");
}

absl::Status Algorithm::OnMembership(const Membership&) {
  return absl::UnimplementedError("this algorithm cannot go on when workers leave or return");
}

}  // namespace starling
