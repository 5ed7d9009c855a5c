#include "data/image/decode.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

// libjpeg's header uses what <cstdio> declares.
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace starling {
namespace {

absl::Status Broken(const std::string& path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(path, " ", what));
}

absl::Status TooLarge(const std::string& path, int64_t width, int64_t height) {
  return Broken(path, absl::StrCat("claims ", width, " x ", height, " pixels; at most ",
                                   kMostPixels, " are read"));
}

// libjpeg reports errors by a call that must not return: it jumps back to `escape`. So nothing with
// a destructor may live in the functions in between; what they use lies here.
struct JpegReader {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  absl::string_view bytes;
  Image image;
  std::vector<uint8_t> row;  // of four colours
};

// Returns false if `step` has failed; `message` then says why.
bool Succeeds(JpegReader* reader, void (*step)(JpegReader*)) {
  if (setjmp(reader->escape) != 0) return false;
  step(reader);
  return true;
}

void Escape(j_common_ptr info) {
  auto* reader = static_cast<JpegReader*>(info->client_data);
  info->err->format_message(info, reader->message);
  std::longjmp(reader->escape, 1);
}

// Warnings are errors where some of the picture is lost.
void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
      Escape(info);
  }
}

void ReadHeader(JpegReader* reader) {
  jpeg_decompress_struct& info = reader->info;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(reader->bytes.data()),
               reader->bytes.size());
  jpeg_read_header(&info, TRUE);
  const bool four = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = four ? JCS_CMYK : JCS_RGB;
  reader->image.width = info.image_width;
  reader->image.height = info.image_height;
}

void ReadPixels(JpegReader* reader) {
  jpeg_decompress_struct& info = reader->info;
  uint8_t* to = reader->image.pixels.data();
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    uint8_t* row = info.out_color_space == JCS_RGB ? to : reader->row.data();
    jpeg_read_scanlines(&info, &row, 1);
    if (info.out_color_space == JCS_RGB) {
      to += 3 * static_cast<size_t>(info.output_width);
      continue;
    }
    // Ink c of a colour over black k leaves (255 - c) (255 - k) / 255. Adobe stores 255 - ink.
    const int flip = info.saw_Adobe_marker ? 0 : 255;
    for (unsigned x = 0; x < info.output_width; ++x, row += 4) {
      for (int colour = 0; colour < 3; ++colour) {
        *to++ = static_cast<uint8_t>(((row[colour] ^ flip) * (row[3] ^ flip) + 127) / 255);
      }
    }
  }
  jpeg_finish_decompress(&info);
}

absl::StatusOr<Image> DecodeJpeg(const std::string& path, absl::string_view bytes) {
  JpegReader reader = {};
  reader.info.err = jpeg_std_error(&reader.errors);
  reader.info.client_data = &reader;
  reader.errors.error_exit = Escape;
  reader.errors.emit_message = OnMessage;
  reader.bytes = bytes;
  Image& image = reader.image;
  bool complete = Succeeds(&reader, ReadHeader);
  const bool too_large = image.width * image.height > kMostPixels;
  if (complete && !too_large) {
    image.pixels.resize(3 * image.width * image.height);
    reader.row.resize(4 * image.width);
    complete = Succeeds(&reader, ReadPixels);
  }
  jpeg_destroy_decompress(&reader.info);
  if (too_large) return TooLarge(path, image.width, image.height);
  if (!complete) return Broken(path, absl::StrCat("is a broken JPEG file: ", reader.message));
  return std::move(image);
}

absl::StatusOr<Image> DecodePng(const std::string& path, absl::string_view bytes) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  const auto failed = [&] {
    const absl::Status status = Broken(path, absl::StrCat("is a broken PNG file: ", png.message));
    png_image_free(&png);
    return status;
  };
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) return failed();
  Image image;
  image.width = png.width;
  image.height = png.height;
  if (image.width * image.height > kMostPixels) {
    png_image_free(&png);
    return TooLarge(path, image.width, image.height);
  }
  // Without a transparency channel libpng would blend with a background.
  const bool has_alpha = (png.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  png.format = has_alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  if (!png_image_finish_read(&png, /*background=*/nullptr, image.pixels.data(), /*row_stride=*/0,
                             /*colormap=*/nullptr)) {
    return failed();
  }
  if (has_alpha) {
    const int64_t count = image.width * image.height;
    for (int64_t i = 0; i < count; ++i) std::memmove(&image.pixels[3 * i], &image.pixels[4 * i], 3);
    image.pixels.resize(3 * count);
  }
  return image;
}

}  // namespace

absl::StatusOr<Image> DecodeImage(const std::string& path, absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xff\xd8\xff")) return DecodeJpeg(path, bytes);
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return DecodePng(path, bytes);
  return Broken(path, "is neither a JPEG nor a PNG file");
}

}  // namespace starling
