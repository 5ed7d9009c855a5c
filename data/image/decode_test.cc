#include "data/image/decode.h"

#include <png.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "data/image/image_testutil.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// The largest difference of any value.
int Difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  if (a.pixels.size() != b.pixels.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  }
  return largest;
}

std::string SmallJpeg() {
  const Image image = Gradient(61, 43, 3);
  return JpegBytes(61, 43, 3, image.pixels);
}

std::string SmallPng() {
  const Image image = Gradient(61, 43, 3);
  return PngBytes(61, 43, PNG_FORMAT_RGB, image.pixels);
}

std::string ErrorOf(const std::string& bytes) {
  const auto image = DecodeImage("a/b.jpg", bytes);
  EXPECT_EQ(image.status().code(), absl::StatusCode::kDataLoss) << image.status();
  return std::string(image.status().message());
}

TEST(DecodeTest, ReadsColourJpeg) {
  const auto image = DecodeImage("a", SmallJpeg());
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_LE(Difference(*image, Gradient(61, 43, 3)), 6);
}

TEST(DecodeTest, ReadsPngToTheBit) {
  const auto image = DecodeImage("named.jpg", SmallPng());
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(Difference(*image, Gradient(61, 43, 3)), 0);
}

TEST(DecodeTest, GreyBecomesThreeEqualColours) {
  std::vector<uint8_t> grey;
  Image expected{16, 16, {}};
  for (int i = 0; i < 256; ++i) {
    grey.push_back(static_cast<uint8_t>(i / 16 * 10));
    expected.pixels.insert(expected.pixels.end(), 3, grey.back());
  }
  const auto png = DecodeImage("a", PngBytes(16, 16, PNG_FORMAT_GRAY, grey));
  ASSERT_TRUE(png.ok()) << png.status();
  EXPECT_EQ(Difference(*png, expected), 0);
  const auto jpeg = DecodeImage("a", JpegBytes(16, 16, 1, grey, 100));
  ASSERT_TRUE(jpeg.ok()) << jpeg.status();
  EXPECT_LE(Difference(*jpeg, expected), 2);
}

// Full ink of one colour takes that colour's light away, black takes all.
TEST(DecodeTest, CmykBecomesLight) {
  const struct {
    uint8_t ink[4], light[3];
  } cases[] = {{{0, 0, 0, 0}, {255, 255, 255}},
               {{255, 0, 0, 0}, {0, 255, 255}},
               {{0, 255, 255, 0}, {255, 0, 0}},
               {{0, 0, 0, 255}, {0, 0, 0}},
               {{0, 51, 0, 51}, {204, 163, 204}}};
  for (const auto& one : cases) {
    std::vector<uint8_t> stored;
    Image expected{8, 8, {}};
    for (int pixel = 0; pixel < 64; ++pixel) {
      for (uint8_t ink : one.ink) stored.push_back(static_cast<uint8_t>(255 - ink));
      expected.pixels.insert(expected.pixels.end(), one.light, one.light + 3);
    }
    const auto image = DecodeImage("a", JpegBytes(8, 8, 4, stored, 100));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_LE(Difference(*image, expected), 2);
  }
}

TEST(DecodeTest, TransparencyIsDropped) {
  const std::vector<uint8_t> pixels = {10, 20, 30, 0, 40, 50, 60, 128};
  const auto image = DecodeImage("a", PngBytes(2, 1, PNG_FORMAT_RGBA, pixels));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->pixels, (std::vector<uint8_t>{10, 20, 30, 40, 50, 60}));
}

TEST(DecodeTest, BrokenFilesAreNamed) {
  EXPECT_EQ(ErrorOf("GIF89a..."), "a/b.jpg is neither a JPEG nor a PNG file");
  EXPECT_EQ(ErrorOf(""), "a/b.jpg is neither a JPEG nor a PNG file");
  EXPECT_EQ(ErrorOf("\xff\xd8\xff"), "a/b.jpg is a broken JPEG file: Premature end of JPEG file");
  for (const std::string& whole : {SmallJpeg(), SmallPng()}) {
    const bool jpeg = whole == SmallJpeg();
    for (size_t size : {whole.size() / 20, whole.size() / 2, whole.size() - 20}) {
      EXPECT_TRUE(
          absl::StartsWith(ErrorOf(whole.substr(0, size)), jpeg ? "a/b.jpg is a broken JPEG file: "
                                                                : "a/b.jpg is a broken PNG file: "))
          << size << " of " << whole.size();
    }
  }
}

// Random damage is either found or leaves an image of the right size; nothing crashes.
TEST(DecodeTest, DamageIsSurvived) {
  int found = 0;
  for (const std::string& whole : {SmallJpeg(), SmallPng()}) {
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
      const auto image = DecodeImage("a", damaged);
      if (image.ok()) {
        EXPECT_EQ(image->pixels.size(), 3u * image->width * image->height);
      } else {
        EXPECT_EQ(image.status().code(), absl::StatusCode::kDataLoss);
        ++found;
      }
    }
  }
  EXPECT_GT(found, 100);
}

TEST(DecodeTest, SuperfluousBytesLoseNothing) {
  std::string bytes = SmallJpeg();
  bytes.insert(bytes.size() - 2, "superfluous");
  const auto image = DecodeImage("a", bytes), plain = DecodeImage("a", SmallJpeg());
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(Difference(*image, *plain), 0);
}

TEST(DecodeTest, HugeClaimsTakeNoMemory) {
  std::string jpeg = SmallJpeg();
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);  // height and width stand behind its length and precision
  jpeg.replace(frame + 5, 4, "\xfd\xe8\xfd\xe8");
  EXPECT_EQ(ErrorOf(jpeg), "a/b.jpg claims 65000 x 65000 pixels; at most 268435456 are read");
}

}  // namespace
}  // namespace starling
