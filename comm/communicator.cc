#include "comm/communicator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "comm/two_level_all_reduce.h"

namespace starling {

std::string ToString(const MessageKey& key) {
  return absl::StrCat("stream ", key.stream, ", round ", key.round, ", bucket ", key.bucket,
                      ", part ", key.part);
}

absl::Status Work::WaitOn(Queue*) { return Wait(); }

absl::StatusOr<std::unique_ptr<Work>> Communicator::AllReduceSum(absl::Span<const int> group,
                                                                 MessageKey key, Buffer values,
                                                                 const ExchangeOptions& options) {
  return TwoLevelAllReduce(this, group, key, values, options);
}

absl::StatusOr<Buffer> Communicator::Allocate(int64_t count, DType type) {
  allocated_.emplace_back(count, type);
  return allocated_.back().buffer();
}

Arena Communicator::TakeScratch(int64_t count, DType type) {
  for (Arena& arena : scratch_) {
    if (arena.count() < count || arena.buffer().type != type) continue;
    std::swap(arena, scratch_.back());
    Arena found = std::move(scratch_.back());
    scratch_.pop_back();
    return found;
  }
  return Arena(count, type);
}

void Communicator::ReturnScratch(Arena scratch) {
  if (!scratch.empty()) scratch_.push_back(std::move(scratch));
}

}  // namespace starling
