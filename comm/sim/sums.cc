#include "comm/sim/sums.h"

#include <algorithm>

#include "comm/two_level_all_reduce.h"
#include "core/ops/ops.h"

namespace starling {
namespace {

// Elements that are summed at a time: few enough to stay in the cache.
constexpr int64_t kBlock = 1 << 14;

}  // namespace

void SumInTwoLevels(absl::Span<const int> group, int workers_per_node,
                    absl::Span<const Buffer> values) {
  if (group.size() < 2 || values[0].place == Place::kVirtual) return;
  const auto machines = MembersByMachine(group, workers_per_node);
  std::vector<Arena> partial_sums;
  for (const auto& members : machines) {
    const int64_t count = members.size() > 1 ? std::min(kBlock, values[0].count) : 0;
    partial_sums.emplace_back(count, values[0].type);
  }
  for (int64_t begin = 0; begin < values[0].count; begin += kBlock) {
    const int64_t count = std::min(kBlock, values[0].count - begin);
    std::vector<Source> sums;
    size_t member = 0;
    for (size_t machine = 0; machine < machines.size(); ++machine) {
      std::vector<Source> terms;
      for (size_t i = 0; i < machines[machine].size(); ++i) {
        terms.push_back({1.0, values[member++].Slice(begin, count)});
      }
      if (terms.size() == 1) {
        sums.push_back(terms[0]);
        continue;
      }
      sums.push_back({1.0, partial_sums[machine].buffer().Slice(0, count)});
      ops::WeightedSum(terms, sums.back().values);
    }
    const Buffer first = values[0].Slice(begin, count);
    if (sums.size() == 1) {
      ops::Copy(sums[0].values, first);
    } else {
      ops::WeightedSum(sums, first);
    }
    for (size_t i = 1; i < values.size(); ++i) ops::Copy(first, values[i].Slice(begin, count));
  }
}

std::vector<Send> SendsOfSum(int rank, absl::Span<const int> group, int workers_per_node,
                             MessageKey key, const Buffer& values) {
  const auto machines = MembersByMachine(group, workers_per_node);
  const auto holds_rank = [rank](const std::vector<int>& members) {
    return std::binary_search(members.begin(), members.end(), rank);
  };
  const auto own = std::find_if(machines.begin(), machines.end(), holds_rank);
  const int machine = static_cast<int>(own - machines.begin());
  const int place =
      static_cast<int>(std::lower_bound(own->begin(), own->end(), rank) - own->begin());
  std::vector<Send> sends;
  // To each peer its piece, to be added up, and later one's own piece, which is.
  const auto add = [&](int64_t count, int parts, int me, int i, int peer) {
    const int64_t sent = PieceOf(count, parts, i).count + PieceOf(count, parts, me).count;
    sends.push_back({peer, key, {nullptr, sent, values.type, Place::kVirtual}});
  };
  const int inside = static_cast<int>(own->size());
  for (int i = 0; i < inside; ++i) {
    if (i != place) add(values.count, inside, place, i, (*own)[i]);
  }
  const int64_t chunk = PieceOf(values.count, inside, place).count;
  const int across = static_cast<int>(machines.size());
  for (int i = 0; i < across; ++i) {
    if (i != machine) add(chunk, across, machine, i, machines[i][place]);
  }
  return sends;
}

}  // namespace starling
