#include "topology/base_graph/sequence.h"

#include <algorithm>
#include <utility>

#include "glog/logging.h"

namespace starling {
namespace {

void Append(const SparseRound& more, SparseRound* round) {
  round->groups.insert(round->groups.end(), more.groups.begin(), more.groups.end());
  round->edges.insert(round->edges.end(), more.edges.begin(), more.edges.end());
}

// Round `index` of a sequence that repeats; nothing if it has no rounds.
void AppendCyclic(const Sequence& sequence, int index, SparseRound* round) {
  if (!sequence.empty()) Append(sequence[index % sequence.size()], round);
}

// A block V_l of a (k+1)^p nodes, 1 <= a <= k, cut into a parts of (k+1)^p.
struct Block {
  std::vector<int> nodes;
  std::vector<std::vector<int>> parts;
  Sequence inside;                     // averages the block
  std::vector<Sequence> inside_parts;  // average each part; of the block if p = 0
};

std::vector<Block> CutIntoBlocks(const std::vector<int>& nodes, int k) {
  std::vector<Block> blocks;
  const int n = static_cast<int>(nodes.size());
  int64_t power = 1;
  while (power * (k + 1) <= n) power *= k + 1;
  auto next = nodes.begin();
  for (; power >= 1; power /= k + 1) {
    const int part_size = static_cast<int>(power);
    const int parts = static_cast<int>((nodes.end() - next) / power);
    if (parts == 0) continue;
    Block block;
    block.nodes.assign(next, next + parts * part_size);
    for (int part = 0; part < parts; ++part, next += part_size) {
      block.parts.emplace_back(next, next + part_size);
    }
    block.inside = HyperHypercube(block.nodes, k);
    if (part_size == 1) {
      block.inside_parts = {block.inside};
    } else {
      for (const auto& part : block.parts) block.inside_parts.push_back(HyperHypercube(part, k));
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

// Every node of the blocks behind `giver` meets one node of each of giver's parts, nobody twice,
// so that afterwards it holds the mean of all nodes from `giver` on. `met` counts, per part, how
// many nodes at its end have met somebody.
void Distribute(const std::vector<Block>& blocks, size_t giver, size_t receiver, size_t* met,
                SparseRound* round) {
  int64_t from_giver_on = 0;
  for (size_t r = giver; r < blocks.size(); ++r) {
    from_giver_on += static_cast<int64_t>(blocks[r].nodes.size());
  }
  const int64_t given = static_cast<int64_t>(blocks[giver].nodes.size());
  const int64_t parts = static_cast<int64_t>(blocks[giver].parts.size());
  const double all = static_cast<double>(from_giver_on);
  const double share = static_cast<double>(given) / (all * static_cast<double>(parts));
  for (int node : blocks[receiver].nodes) {
    for (const std::vector<int>& part : blocks[giver].parts) {
      CHECK_LT(*met, part.size());
      const int partner = part[part.size() - 1 - *met];
      round->edges.push_back({node, partner, share});
      round->edges.push_back({partner, node, share});
      round->edges.push_back({partner, partner, 1 - share});
    }
    round->edges.push_back({node, node, static_cast<double>(from_giver_on - given) / all});
    ++*met;
  }
}

// Those of the block that met nobody average among themselves, k + 1 at a time.
void AverageRest(const Block& block, size_t met, int k, SparseRound* round) {
  std::vector<int> group;
  const auto flush = [&] {
    if (group.size() > 1) round->groups.push_back(group);
    group.clear();
  };
  for (const std::vector<int>& part : block.parts) {
    for (size_t i = 0; i + met < part.size(); ++i) {
      group.push_back(part[i]);
      if (static_cast<int>(group.size()) == k + 1) flush();
    }
  }
  flush();
}

}  // namespace

bool IsSmooth(int n, int k) {
  for (int factor = 2; factor <= n && factor <= k + 1; ++factor) {
    while (n % factor == 0) n /= factor;
  }
  return n == 1;
}

Sequence HyperHypercube(const std::vector<int>& nodes, int k) {
  const int n = static_cast<int>(nodes.size());
  CHECK(IsSmooth(n, k)) << n;
  std::vector<int> factors;
  int rest = n;
  for (int factor = std::min(k + 1, n); factor >= 2; --factor) {
    for (; rest % factor == 0; rest /= factor) factors.push_back(factor);
  }
  std::reverse(factors.begin(), factors.end());
  Sequence sequence;
  int stride = 1;
  for (int factor : factors) {
    SparseRound round;
    for (int first = 0; first < n; ++first) {
      if (first / stride % factor != 0) continue;
      std::vector<int> group;
      for (int digit = 0; digit < factor; ++digit) group.push_back(nodes[first + digit * stride]);
      round.groups.push_back(std::move(group));
    }
    sequence.push_back(std::move(round));
    stride *= factor;
  }
  return sequence;
}

Sequence SimpleBaseGraph(const std::vector<int>& nodes, int k) {
  if (IsSmooth(static_cast<int>(nodes.size()), k)) return HyperHypercube(nodes, k);
  const std::vector<Block> blocks = CutIntoBlocks(nodes, k);
  const size_t averaging = blocks[0].inside.size();
  const size_t closing = blocks[0].inside_parts[0].size();
  Sequence sequence;
  // Block l (from 0) averages inside, receives from the blocks 0..l-1 in turn, distributes in
  // round averaging + l, and then keeps averaging inside its parts. The last block does not
  // distribute. The whole ends when block 0 has averaged inside its parts.
  for (size_t m = 0; m < averaging + 1 + closing; ++m) {
    SparseRound round;
    size_t met = 0;  // of the block that distributes in this round
    for (size_t l = blocks.size(); l-- > 0;) {
      const Block& block = blocks[l];
      if (m < averaging) {
        AppendCyclic(block.inside, static_cast<int>(m), &round);
      } else if (m < averaging + l) {
        Distribute(blocks, m - averaging, l, &met, &round);
      } else if (m == averaging + l && l + 1 < blocks.size()) {
        AverageRest(block, met, k, &round);
      } else {
        const size_t first = averaging + l + (l + 1 < blocks.size() ? 1 : 0);
        for (const Sequence& part : block.inside_parts) {
          AppendCyclic(part, static_cast<int>(m - first), &round);
        }
      }
    }
    sequence.push_back(std::move(round));
  }
  return sequence;
}

Sequence BaseGraphSequence(const std::vector<int>& nodes, int k) {
  const int n = static_cast<int>(nodes.size());
  int rest = n;
  for (int factor = 2; factor <= std::min(k + 1, n); ++factor) {
    while (rest % factor == 0) rest /= factor;
  }
  const int copies = n / rest;
  Sequence combined;
  for (int copy = 0; copy < copies; ++copy) {
    const std::vector<int> block(nodes.begin() + copy * rest, nodes.begin() + (copy + 1) * rest);
    const Sequence inside = SimpleBaseGraph(block, k);
    combined.resize(inside.size());
    for (size_t m = 0; m < inside.size(); ++m) Append(inside[m], &combined[m]);
  }
  const size_t inside_rounds = combined.size();
  for (int position = 0; position < rest; ++position) {
    std::vector<int> across;
    for (int copy = 0; copy < copies; ++copy) across.push_back(nodes[copy * rest + position]);
    const Sequence sequence = HyperHypercube(across, k);
    combined.resize(inside_rounds + sequence.size());
    for (size_t m = 0; m < sequence.size(); ++m) Append(sequence[m], &combined[inside_rounds + m]);
  }
  Sequence simple = SimpleBaseGraph(nodes, k);
  return simple.size() < combined.size() ? simple : combined;
}

}  // namespace starling
