// The one place that touches elements: vector operations on Buffers.
//
// All buffers of a call have the same count and type, F32 or F64 (Copy and Zero take any; Convert
// and WeightedSum take F32, F64, F16 and BF16, mixed as they say); they may be identical but must
// not partly overlap. Any count is legal, and any alignment of whole
// elements. Results have the same bits on every processor and vector width: no fused
// multiply-add, sums over 16 fixed partial sums that are combined in order. Scalars arrive as
// doubles and are rounded to the element type once. Kernels are dispatched to the processor's
// vector unit at run time (Highway); no parallelism: one worker computes on one thread.
//
// On Place::kDevice the device does the same on this thread's queue (core/device/device.h), with
// the same bits where it is element by element; reductions wait for the result. A weighted sum has
// at most 128 sources there.
//
// On Place::kVirtual nothing is touched; Dot and SquaredDistance give 0, AllFinite true.
// CHECK-fails on mismatched counts or types: callers built the buffers.
#ifndef CORE_OPS_OPS_H_
#define CORE_OPS_OPS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "core/buffer.h"

namespace starling::ops {

// out <- sum_j sources[j].weight * sources[j].values, added in this order. At least one source;
// `out` may be one of them. Computed in F64 if `out` is F64, else in F32, to which F16 and BF16 are
// widened; the sum is rounded to out's type once. No source may be wider than what is computed in.
void WeightedSum(absl::Span<const Source> sources, Buffer out);

// y <- y + a x.
void Axpy(double a, Buffer x, Buffer y);

// x <- a x.
void Scale(double a, Buffer x);

// to <- from, bytes as they are; also between host and device, which may read and write the host's
// memory as late as when somebody waits for the queue.
void Copy(Buffer from, Buffer to);

// to <- from, each F32, F64, F16 or BF16: exact, or rounded to the nearest, ties to even. Too large
// numbers become infinite; a NaN stays one.
void Convert(Buffer from, Buffer to);

// x <- 0.
void Zero(Buffer x);

// y <- y * x, element by element.
void Mul(Buffer x, Buffer y);

// y <- y + x: the step of a reduction.
void Add(Buffer x, Buffer y);

// Returns sum_i x_i y_i, in double for both types. Element i goes to partial sum i mod 16, and
// the partial sums are added in order.
double Dot(Buffer x, Buffer y);

// Returns sum_i (x_i - y_i)^2, in double, summed as in Dot.
double SquaredDistance(Buffer x, Buffer y);

// Whether every element is finite.
bool AllFinite(Buffer x);

// x <- a x where every element is finite; otherwise x <- 0. `bad` is one element, of x's type and
// where x is: 1 in the second case, else 0. Unlike AllFinite it does not make the host wait.
void ScaleOrZero(double a, Buffer x, Buffer bad);

}  // namespace starling::ops

#endif  // CORE_OPS_OPS_H_
