// The deterministic group sum, built on point-to-point exchange in two levels.
//
// Let the group have L members on each of M machines (machine = rank / workers_per_node), and cut
// the vector into L chunks and every chunk into M pieces.
//   1. inside a machine, local member l receives chunk l from the others and adds in rank order;
//   2. across machines, the owner of chunk l on machine k receives piece k of the chunk from the
//      owners on the others and adds in machine order;
//   3. the owners of chunk l give each other their pieces back;
//   4. inside a machine, everyone gets every chunk back.
// A member sends 2 (m-1)/m of the vector, m = L M, and a machine's network card carries 2 (M-1)/M
// of it per direction, whatever L is: no more than a ring. Groups with unequal numbers of members
// per machine are treated as one machine: chunks are added in rank order, directly.
//
// Element by element the sum is (sum over machines in order of (sum over members in rank order)),
// so its bits depend on the group and on workers_per_node alone. F16 and BF16 are added in F32;
// each of the two sums is rounded once.
#ifndef COMM_TWO_LEVEL_ALL_REDUCE_H_
#define COMM_TWO_LEVEL_ALL_REDUCE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/layout.h"

namespace starling {

// Members of the group by machine, both in order; one row with all of them if the machines' shares
// differ.
std::vector<std::vector<int>> MembersByMachine(absl::Span<const int> group, int workers_per_node);

// Piece `index` of `parts` nearly equal ones of so many elements, cut between lines of 32.
Range PieceOf(int64_t count, int parts, int index);

// As Communicator::AllReduceSum. The deadline holds for each phase.
absl::StatusOr<std::unique_ptr<Work>> TwoLevelAllReduce(Communicator* comm,
                                                        absl::Span<const int> group, MessageKey key,
                                                        Buffer values,
                                                        const ExchangeOptions& options);

}  // namespace starling

#endif  // COMM_TWO_LEVEL_ALL_REDUCE_H_
