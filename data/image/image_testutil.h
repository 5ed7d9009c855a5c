// For tests of images: files, written with the libraries that read them.
#ifndef DATA_IMAGE_IMAGE_TESTUTIL_H_
#define DATA_IMAGE_IMAGE_TESTUTIL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "data/image/image.h"

namespace starling {

// A smooth picture, different for every `number`: JPEG keeps it well.
Image Gradient(int64_t width, int64_t height, int number);

// The contents of a JPEG file. `colours` values per pixel: 1 grey, 3 red, green and blue, 4 CMYK as
// Adobe writes it (255 - ink).
std::string JpegBytes(int64_t width, int64_t height, int colours, absl::Span<const uint8_t> pixels,
                      int quality = 95);

// The contents of a PNG file. `format`: one of libpng's PNG_FORMAT_... of 8 bits.
std::string PngBytes(int64_t width, int64_t height, uint32_t format,
                     absl::Span<const uint8_t> pixels);

void WriteFile(const std::string& path, const std::string& bytes);

}  // namespace starling

#endif  // DATA_IMAGE_IMAGE_TESTUTIL_H_
