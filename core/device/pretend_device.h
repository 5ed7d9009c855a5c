// A device for tests on machines without one. Its memory is the host's, and nothing is done before
// somebody must wait for it: each queue keeps its work until the host waits for that queue, or
// until an event holds another queue back that is being waited for. Whoever forgets to wait, or to
// hold back, computes with what was there before; a real device would do so now and then.
//
// Where the environment's STARLING_PRETEND_WAITS names a file, it gets, when the program ends, how
// often the host has waited for a queue: to its end, or for an event that had not passed. Queues
// that only copy do not count.
//
// A program that links //core/device:pretend_device has it, with two cards. Passes need twins:
//
//   STARLING_PRETEND_PASS(DescentPass, DescentStep);   // at namespace starling, in a .cc file
#ifndef CORE_DEVICE_PRETEND_DEVICE_H_
#define CORE_DEVICE_PRETEND_DEVICE_H_

#include <functional>

#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/fused_pass.h"

namespace starling::pretend {

// Puts `work`, which must not wait for anything, into the calling thread's current queue.
void Defer(std::function<void()> work);

// The same numbers as the host sees them.
Buffer OnHost(Buffer buffer);

// `pass` with buffers as the host sees them, for `run`, later.
void DeferPass(const ops::FusedPass& pass, std::function<void(const ops::FusedPass&)> run);

}  // namespace starling::pretend

#define STARLING_PRETEND_PASS(Name, Step)                                             \
  const bool Name##IsPretended = [] {                                                 \
    Name##OnDevice = [](const ops::FusedPass& pass, const Step& step) {               \
      pretend::DeferPass(pass, [step](const ops::FusedPass& it) { Name(it, step); }); \
    };                                                                                \
    return true;                                                                      \
  }()

#endif  // CORE_DEVICE_PRETEND_DEVICE_H_
