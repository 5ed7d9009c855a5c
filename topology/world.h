// World sizes: what the plug-ins' factories share for refusing a world that they cannot serve.
#ifndef TOPOLOGY_WORLD_H_
#define TOPOLOGY_WORLD_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace starling {

bool IsPowerOfTwo(int n);  // 1, 2, 4, ...

// Returns the smallest k with 2^k >= n; n >= 1.
int CeilLog2(int n);

// OK if `legal(workers)`. Otherwise INVALID_ARGUMENT, in one sentence that ends with the nearest
// legal worlds below and above:
//
//   topology "hypercube" needs a power of two workers, not 7; nearest: 4 or 8
//
// `need` is what stands behind "needs"; `hint`, unless empty, follows behind another semicolon.
// A world of one worker must be legal, and some world above every other.
absl::Status CheckWorld(absl::string_view topology, absl::string_view need, int workers,
                        absl::FunctionRef<bool(int)> legal, absl::string_view hint = "");

}  // namespace starling

#endif  // TOPOLOGY_WORLD_H_
