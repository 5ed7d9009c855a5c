#include "optim/allocation_counter.h"

#include <cstdlib>
#include <new>

namespace starling {
namespace {

thread_local int64_t allocations = 0;

void* CountedNew(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

int64_t AllocationsOfThisThread() { return allocations; }

}  // namespace starling

// The forms with arrays and nothrow call these by default.
void* operator new(size_t size) { return starling::CountedNew(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
