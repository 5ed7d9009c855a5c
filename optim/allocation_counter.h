// For tests: how often `new` is called. Linking this replaces the global operator new.
#ifndef OPTIM_ALLOCATION_COUNTER_H_
#define OPTIM_ALLOCATION_COUNTER_H_

#include <cstdint>

namespace starling {

// Calls of operator new by this thread so far.
int64_t AllocationsOfThisThread();

}  // namespace starling

#endif  // OPTIM_ALLOCATION_COUNTER_H_
