// Many words of a stream at once, for masks as large as activations.
#ifndef CORE_RANDOM_RANDOM_WORDS_H_
#define CORE_RANDOM_RANDOM_WORDS_H_

#include <cstdint>

#include "absl/types/span.h"

namespace starling {

// Fills `words` with the words number 4 * first_block, 4 * first_block + 1, ... of Random(stream):
// what as many calls of Next32 give, on the processor's vector unit. The same on each of them.
void FillRandomWords(uint64_t stream, uint64_t first_block, absl::Span<uint32_t> words);

}  // namespace starling

#endif  // CORE_RANDOM_RANDOM_WORDS_H_
