#include <ucontext.h>

#include <csetjmp>
#include <memory>
#include <utility>
#include <vector>

#include "core/device/cuda/on_host/cuda_runtime.h"
#include "glog/logging.h"

namespace starling::cuda_on_host {
namespace {

// The threads of one block after the other. They run on fibers, each of which does one thread after
// the other until one waits for the rest of its block: kernels in which nobody waits need one.
class Block {
 public:
  static Block& OfThisThread() {
    thread_local Block block;
    return block;
  }

  void Run(unsigned threads, const std::function<void()>& kernel) {
    kernel_ = &kernel;
    threads_ = threads;
    next_ = 0;
    std::vector<Fiber*> waiting;
    for (size_t f = 0; next_ < threads_; ++f) {
      if (f == fibers_.size()) fibers_.push_back(NewFiber());
      if (Resume(fibers_[f].get())) waiting.push_back(fibers_[f].get());
    }
    while (!waiting.empty()) {
      for (Fiber* fiber : std::exchange(waiting, {})) {
        threadIdx.x = fiber->thread;
        if (Resume(fiber)) waiting.push_back(fiber);
      }
    }
  }

  // On a fiber.
  void WaitForTheOthers() { GiveUp(/*waits=*/true); }

 private:
  struct Fiber {
    ucontext_t beginning;
    jmp_buf here;  // where it goes on, once it has begun
    bool has_begun = false;
    std::unique_ptr<char[]> stack;
    unsigned thread = 0;
    bool waits = false;
  };

  static constexpr size_t kStackBytes = 64 << 10;

  std::unique_ptr<Fiber> NewFiber() {
    auto fiber = std::make_unique<Fiber>();
    fiber->stack = std::make_unique<char[]>(kStackBytes);
    CHECK_EQ(getcontext(&fiber->beginning), 0);
    fiber->beginning.uc_stack.ss_sp = fiber->stack.get();
    fiber->beginning.uc_stack.ss_size = kStackBytes;
    makecontext(
        &fiber->beginning, [] { OfThisThread().DoThreads(); }, 0);
    return fiber;
  }

  // Returns whether it waits. Contexts begin fibers, but jumps switch between them: a context's
  // switch is two system calls.
  bool Resume(Fiber* fiber) {
    current_ = fiber;
    if (_setjmp(scheduler_) == 0) {
      if (fiber->has_begun) _longjmp(fiber->here, 1);
      fiber->has_begun = true;
      setcontext(&fiber->beginning);
    }
    return current_->waits;
  }

  void GiveUp(bool waits) {
    current_->waits = waits;
    if (_setjmp(current_->here) == 0) _longjmp(scheduler_, 1);
  }

  // What a fiber does, in all blocks.
  [[noreturn]] void DoThreads() {
    for (Fiber* const own = current_;;) {
      while (next_ < threads_) {
        threadIdx.x = own->thread = next_++;
        (*kernel_)();
      }
      GiveUp(/*waits=*/false);
    }
  }

  const std::function<void()>* kernel_ = nullptr;
  unsigned threads_ = 0, next_ = 0;
  jmp_buf scheduler_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  Fiber* current_ = nullptr;
};

}  // namespace

void Run(dim3 blocks, dim3 threads, const std::function<void()>& kernel) {
  gridDim = blocks;
  for (blockIdx.x = 0; blockIdx.x < blocks.x; ++blockIdx.x) {
    Block::OfThisThread().Run(threads.x, kernel);
  }
}

}  // namespace starling::cuda_on_host

void __syncthreads() { starling::cuda_on_host::Block::OfThisThread().WaitForTheOthers(); }
