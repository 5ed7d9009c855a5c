// Photographs in memory.
#ifndef DATA_IMAGE_IMAGE_H_
#define DATA_IMAGE_IMAGE_H_

#include <cstdint>
#include <vector>

namespace starling {

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // [row][column][red, green, blue]
};

// A part of an image, in pixels.
struct Box {
  int64_t left = 0, top = 0, width = 0, height = 0;

  bool operator==(const Box& other) const {
    return left == other.left && top == other.top && width == other.width && height == other.height;
  }
};

}  // namespace starling

#endif  // DATA_IMAGE_IMAGE_H_
