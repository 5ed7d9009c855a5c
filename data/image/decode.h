// JPEG and PNG files, read with libjpeg-turbo and libpng.
#ifndef DATA_IMAGE_DECODE_H_
#define DATA_IMAGE_DECODE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"

namespace starling {

// Larger images are refused, before memory is taken for what a broken header claims.
inline constexpr int64_t kMostPixels = int64_t{1} << 28;

// Returns the image in `bytes`, the contents of the file `path` (for messages). The first bytes
// tell JPEG from PNG, whatever the name says. Grey, CMYK (as Adobe writes it), palettes and 16 bits
// become red, green and blue of 8 bits; transparency is dropped.
//
// DATA_LOSS names the file and what is wrong: neither format, cut off, or damaged so that some of
// the picture is lost. (Superfluous bytes between the parts of a JPEG file lose nothing; some of
// ImageNet's have them.)
absl::StatusOr<Image> DecodeImage(const std::string& path, absl::string_view bytes);

}  // namespace starling

#endif  // DATA_IMAGE_DECODE_H_
