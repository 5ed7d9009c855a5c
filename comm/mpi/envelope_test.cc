#include "comm/mpi/envelope.h"

#include <set>

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(DirectTagTest, TellsKeysApartThatAreUnderWayTogether) {
  std::set<int> tags;
  int keys = 0;
  for (const uint16_t stream : {0, 1, 15}) {
    for (const int64_t round :
         {int64_t{1} << 40, (int64_t{1} << 40) + 1, (int64_t{1} << 40) + 4095}) {
      for (const int32_t bucket : {0, 1, 127, 4095}) {
        for (const uint16_t part : {0, 1, 7}) {
          const auto tag = DirectTag({stream, round, bucket, part});
          ASSERT_TRUE(tag.has_value());
          EXPECT_GE(*tag, 0);
          tags.insert(*tag);
          ++keys;
        }
      }
    }
  }
  EXPECT_EQ(tags.size(), keys);
}

TEST(DirectTagTest, IsAbsentForLargerNumbers) {
  EXPECT_FALSE(DirectTag({16, 0, 0, 0}).has_value());
  EXPECT_FALSE(DirectTag({0, 0, 4096, 0}).has_value());
  EXPECT_FALSE(DirectTag({0, 0, -1, 0}).has_value());
  EXPECT_FALSE(DirectTag({0, 0, 0, 8}).has_value());
}

}  // namespace
}  // namespace starling
