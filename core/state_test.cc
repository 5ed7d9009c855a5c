#include "core/state.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

Layout LayoutOf(const std::vector<std::pair<std::string, int64_t>>& tensors,
                int64_t bucket_bytes = 1 << 20) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, count] : tensors) {
    TensorInfo info;
    info.name = name;
    info.shape = {count};
    infos.push_back(std::move(info));
  }
  return MakeLayout(std::move(infos), bucket_bytes, 4);
}

// Fills each tensor with values that depend on its name only.
void Fill(const Layout& layout, Buffer buffer) {
  for (const TensorInfo& tensor : layout.tensors) {
    for (int64_t i = 0; i < tensor.count; ++i) {
      buffer.as<float>()[tensor.offset + i] = tensor.name.back() + 0.5f * i;
    }
  }
}

uint64_t Digest(const Layout& layout, Buffer buffer, const std::string& name = "x") {
  DigestVisitor visitor(&layout);
  CHECK_OK(visitor.Visit(name, buffer));
  return visitor.digest();
}

TEST(DigestTest, EveryBitOfEveryElementCounts) {
  const Layout layout = LayoutOf({{"a", 5}, {"b", 3}});
  const Arena arena(layout.size, DType::kF32);
  Fill(layout, arena.buffer());
  const uint64_t digest = Digest(layout, arena.buffer());
  EXPECT_EQ(Digest(layout, arena.buffer()), digest);
  for (const TensorInfo& tensor : layout.tensors) {
    const Buffer values = arena.buffer().Slice(tensor.offset, tensor.count);
    for (int64_t bit = 0; bit < 8 * values.bytes(); ++bit) {
      char& byte = static_cast<char*>(values.data)[bit / 8];
      byte ^= 1 << bit % 8;
      EXPECT_NE(Digest(layout, arena.buffer()), digest) << tensor.name << " bit " << bit;
      byte ^= 1 << bit % 8;
    }
  }
}

TEST(DigestTest, PaddingDoesNotCount) {
  const Layout layout = LayoutOf({{"a", 5}, {"b", 33}});
  const Arena arena(layout.size, DType::kF32);
  Fill(layout, arena.buffer());
  const uint64_t digest = Digest(layout, arena.buffer());
  arena.buffer().as<float>()[5] = 1;
  arena.buffer().as<float>()[layout.size - 1] = 1;
  EXPECT_EQ(Digest(layout, arena.buffer()), digest);
}

TEST(DigestTest, BucketsAndTheOrderOfTensorsDoNotCount) {
  const Layout one = LayoutOf({{"a", 5}, {"b", 40}, {"c", 1}});
  const Arena arena(one.size, DType::kF32);
  Fill(one, arena.buffer());
  const uint64_t digest = Digest(one, arena.buffer());
  EXPECT_EQ(Digest(LayoutOf({{"a", 5}, {"b", 40}, {"c", 1}}, 1), arena.buffer()), digest);

  const Layout other = LayoutOf({{"c", 1}, {"a", 5}, {"b", 40}});
  Fill(other, arena.buffer());
  EXPECT_EQ(Digest(other, arena.buffer()), digest);
}

TEST(DigestTest, NamesCountAndTheOrderOfVisitsDoesNot) {
  const Layout layout = LayoutOf({{"a", 5}});
  const Layout renamed = LayoutOf({{"b", 5}});
  const Arena zeros(layout.size, DType::kF32), filled(layout.size, DType::kF32);
  Fill(layout, filled.buffer());
  EXPECT_NE(Digest(layout, zeros.buffer(), "x"), Digest(layout, zeros.buffer(), "y"));
  EXPECT_NE(Digest(layout, zeros.buffer()), Digest(renamed, zeros.buffer()));

  using Visits = std::vector<std::pair<std::string, Buffer>>;
  const auto digest = [&](const Visits& visits) {
    DigestVisitor visitor(&layout);
    for (const auto& [name, buffer] : visits) CHECK_OK(visitor.Visit(name, buffer));
    return visitor.digest();
  };
  const uint64_t xy = digest({{"x", zeros.buffer()}, {"y", filled.buffer()}});
  EXPECT_EQ(digest({{"y", filled.buffer()}, {"x", zeros.buffer()}}), xy);
  EXPECT_NE(digest({{"y", zeros.buffer()}, {"x", filled.buffer()}}), xy);
}

TEST(DigestTest, PrefixesKeepOwnersApart) {
  const Layout layout = LayoutOf({{"a", 5}});
  const Arena zeros(layout.size, DType::kF32), filled(layout.size, DType::kF32);
  Fill(layout, filled.buffer());
  const auto digest = [&](Buffer model, Buffer optimizer) {
    DigestVisitor visitor(&layout);
    CHECK_OK(PrefixVisitor("model/", &visitor).Visit("x", model));
    CHECK_OK(PrefixVisitor("optimizer/", &visitor).Visit("x", optimizer));
    return visitor.digest();
  };
  EXPECT_NE(digest(zeros.buffer(), filled.buffer()), digest(filled.buffer(), zeros.buffer()));
  EXPECT_NE(digest(zeros.buffer(), filled.buffer()), digest(filled.buffer(), filled.buffer()));
}

TEST(DigestTest, CountersAndBytesCount) {
  const Layout layout = LayoutOf({{"a", 5}});
  const auto digest = [&](int64_t counter, std::string bytes) {
    DigestVisitor visitor(&layout);
    CHECK_OK(visitor.Visit("t", AsBuffer(absl::MakeSpan(&counter, 1))));
    CHECK_OK(visitor.VisitBytes("b", &bytes));
    return visitor.digest();
  };
  std::vector<uint64_t> digests = {digest(0, ""),         digest(1, ""),
                                   digest(0, "a"),        digest(0, std::string(1, '\0')),
                                   digest(0, "aa"),       digest(0, "12345678"),
                                   digest(0, "123456789")};
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::unique(digests.begin(), digests.end()), digests.end());
}

TEST(CombineDigestsTest, DependsOnEachAndOnTheirOrder) {
  const uint64_t combined = CombineDigests({1, 2});
  EXPECT_EQ(CombineDigests({1, 2}), combined);
  EXPECT_NE(CombineDigests({2, 1}), combined);
  EXPECT_NE(CombineDigests({1}), combined);
  EXPECT_NE(CombineDigests({1, 2, 0}), combined);
  EXPECT_NE(CombineDigests({1, 1}), CombineDigests({2, 2}));
}

}  // namespace
}  // namespace starling
