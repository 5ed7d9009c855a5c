// Changing the size of an image, as the field's image pipelines do.
#ifndef DATA_IMAGE_RESIZE_H_
#define DATA_IMAGE_RESIZE_H_

#include <cstdint>

#include "absl/types/span.h"
#include "data/image/image.h"

namespace starling {

// Scales the part `from` of `image` to width x height pixels and writes the part `window` of the
// result to `out`: planes [red, green, blue][row][column] of values from 0 to 255, not rounded.
//
// Bilinear with antialiasing: with s = from.width / width and r = max(s, 1),
//
//   out(i) = sum_k w(k) in(k) / sum_k w(k),   w(k) = max(0, 1 - |k + 1/2 - s (i + 1/2)| / r)
//
// over the pixels k of `from`, along both axes. These are the weights of torchvision's (and
// Pillow's) bilinear resize; Pillow rounds to 8 bits after each axis, this does not.
//
// `from` lies within the image and `window` within the result; out.size() is 3 * window.width *
// window.height. Pure and thread-safe.
void ResizeBilinear(const Image& image, const Box& from, int64_t width, int64_t height,
                    const Box& window, absl::Span<float> out);

}  // namespace starling

#endif  // DATA_IMAGE_RESIZE_H_
