#include "data/image/image_testutil.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

// libjpeg's header uses what <cstdio> declares.
#include <jpeglib.h>
#include <png.h>

#include "glog/logging.h"

namespace starling {

Image Gradient(int64_t width, int64_t height, int number) {
  Image image{width, height, {}};
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      image.pixels.push_back(static_cast<uint8_t>(40 + 160 * column / width));
      image.pixels.push_back(static_cast<uint8_t>(40 + 160 * row / height));
      image.pixels.push_back(static_cast<uint8_t>(number * 9 % 256));
    }
  }
  return image;
}

std::string JpegBytes(int64_t width, int64_t height, int colours, absl::Span<const uint8_t> pixels,
                      int quality) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<unsigned>(width);
  info.image_height = static_cast<unsigned>(height);
  info.input_components = colours;
  info.in_color_space = colours == 1 ? JCS_GRAYSCALE : colours == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<uint8_t*>(&pixels[info.next_scanline * width * colours]);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::string bytes(reinterpret_cast<char*>(memory), size);
  std::free(memory);
  return bytes;
}

std::string PngBytes(int64_t width, int64_t height, uint32_t format,
                     absl::Span<const uint8_t> pixels) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  png_alloc_size_t size = 0;
  CHECK(png_image_write_to_memory(&png, nullptr, &size, 0, pixels.data(), 0, nullptr))
      << png.message;
  std::string bytes(size, '\0');
  CHECK(png_image_write_to_memory(&png, &bytes[0], &size, 0, pixels.data(), 0, nullptr))
      << png.message;
  bytes.resize(size);
  return bytes;
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace starling
