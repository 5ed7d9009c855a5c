#include "core/random/random_words.h"

#include <algorithm>
#include <array>

#include "core/random/philox.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/random/random_words.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Writes the words of whole vectors of blocks; returns how many blocks these were.
int64_t FillBlocks(uint64_t stream, uint64_t first_block, int64_t blocks, uint32_t* words) {
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(stream), static_cast<void>(first_block), static_cast<void>(blocks);
  static_cast<void>(words);
  return 0;
#else
  // Lane i computes block first_block + i: as WordsOfBlock.
  const hn::ScalableTag<uint32_t> d;
  const hn::RepartitionToWide<decltype(d)> wide;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  using V = hn::Vec<decltype(d)>;
  const auto multiply = [&](V a, V b, V* high, V* low) HWY_ATTR {
    const auto even = hn::MulEven(a, b);
    const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a))), b);
    *high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
    *low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
  };
  const V multiplier0 = hn::Set(d, 0xD2511F53u), multiplier1 = hn::Set(d, 0xCD9E8D57u);
  const V weyl0 = hn::Set(d, 0x9E3779B9u), weyl1 = hn::Set(d, 0xBB67AE85u);

  int64_t done = 0;
  for (; done + lanes <= blocks; done += lanes) {
    const uint64_t block = first_block + static_cast<uint64_t>(done);
    const uint32_t low_block = static_cast<uint32_t>(block);
    if (low_block > UINT32_MAX - static_cast<uint32_t>(lanes)) break;  // a carry between the lanes
    V c0 = hn::Iota(d, low_block);
    V c1 = hn::Set(d, static_cast<uint32_t>(block >> 32));
    V c2 = hn::Zero(d), c3 = hn::Zero(d);
    V key0 = hn::Set(d, static_cast<uint32_t>(stream));
    V key1 = hn::Set(d, static_cast<uint32_t>(stream >> 32));
    for (int round = 0; round < 10; ++round) {
      V high0, low0, high1, low1;
      multiply(c0, multiplier0, &high0, &low0);
      multiply(c2, multiplier1, &high1, &low1);
      c0 = hn::Xor(hn::Xor(high1, c1), key0);
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), key1);
      c3 = low0;
      key0 = hn::Add(key0, weyl0);
      key1 = hn::Add(key1, weyl1);
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, words + 4 * done);
  }
  return done;
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace starling
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace starling {
namespace {

HWY_EXPORT(FillBlocks);

}  // namespace

void FillRandomWords(uint64_t stream, uint64_t first_block, absl::Span<uint32_t> words) {
  const int64_t blocks = static_cast<int64_t>(words.size()) / 4;
  int64_t done = HWY_DYNAMIC_DISPATCH(FillBlocks)(stream, first_block, blocks, words.data());
  for (; 4 * done < static_cast<int64_t>(words.size()); ++done) {
    const uint64_t block = first_block + static_cast<uint64_t>(done);
    const std::array<uint32_t, 4> four = WordsOfBlock(stream, block);
    const auto rest = words.subspan(4 * done);
    std::copy_n(four.begin(), std::min<size_t>(4, rest.size()), rest.begin());
  }
}

}  // namespace starling
#endif  // HWY_ONCE
