// The arithmetic of a group's sum, for one that has all members' vectors at hand: the additions of
// comm/two_level_all_reduce.h, to the bit.
#ifndef COMM_SIM_SUMS_H_
#define COMM_SIM_SUMS_H_

#include <vector>

#include "absl/types/span.h"
#include "comm/message.h"
#include "core/buffer.h"

namespace starling {

// values[i], of group[i] (sorted), <- the sum of all.
void SumInTwoLevels(absl::Span<const int> group, int workers_per_node,
                    absl::Span<const Buffer> values);

// What `rank` sends when its group sums `values` so: one entry for each worker it sends to. Only
// the sizes of their data mean anything.
std::vector<Send> SendsOfSum(int rank, absl::Span<const int> group, int workers_per_node,
                             MessageKey key, const Buffer& values);

}  // namespace starling

#endif  // COMM_SIM_SUMS_H_
