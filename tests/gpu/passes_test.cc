// The optimizers' passes on the device: the bits of the host.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/fused_pass.h"
#include "gtest/gtest.h"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/adam/adam_kernel.h"
#include "optim/sgd/sgd_kernel.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

constexpr AdamStep kAdam{0.9, 0.999, 1e-8, 0.999, 0.01, 0.003, 1.7};

class DevicePassTest : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }

  // Runs `pass` three times on both, with a mixture of itself and of a neighbour in `exchanged`,
  // and a copy in that type.
  template <typename Step>
  static void Expect(void (*pass)(const ops::FusedPass&, const Step&), const Step& step,
                     int states) {
    for (DType type : {DType::kF32, DType::kF64}) {
      for (DType exchanged : {DType::kF16, DType::kBF16, type}) {
        constexpr int64_t kCount = 32 * 31251;
        const Twins x = RandomTwins(kCount, type, 1), gradient = RandomTwins(kCount, type, 2);
        const Twins neighbour = RandomTwins(kCount, exchanged, 3);
        const Twins copy(kCount, exchanged);
        std::vector<Twins> state;
        for (int k = 0; k < states; ++k) {
          state.push_back(RandomTwins(kCount, type, 4 + k, /*positive=*/true));
        }
        for (bool on_host : {true, false}) {
          const auto side = [&](const Twins& twins) {
            return on_host ? twins.host.buffer() : twins.device.buffer();
          };
          const std::vector<Source> mix = {{0.625, side(x)}, {0.375, side(neighbour)}};
          std::vector<Buffer> buffers;
          for (const Twins& own : state) buffers.push_back(side(own));
          for (int i = 0; i < 3; ++i) {
            // Not all of it: a part of the arena has a decay of its own.
            pass({side(x), side(gradient), mix, side(copy), buffers, {64, kCount - 128}}, step);
            pass({side(x), side(gradient), {}, {}, buffers, {0, 64}}, step);
          }
        }
        const std::string what = absl::StrCat(DTypeName(type), ", ", DTypeName(exchanged));
        ExpectSameBits(x, what + " x");
        ExpectSameBits(copy, what + " copy");
        for (const Twins& own : state) ExpectSameBits(own, what + " state");
      }
    }
  }
};

TEST_F(DevicePassTest, Sgd) {
  Expect(SgdPass, SgdStep{0.1, 0.01, 0, false}, 0);
  Expect(SgdMomentumPass, SgdStep{0.1, 0.01, 0.9, false}, 1);
  Expect(SgdMomentumPass, SgdStep{0.1, 0.01, 0.9, true}, 1);
}

TEST_F(DevicePassTest, Adam) { Expect(AdamPass, kAdam, 2); }

TEST_F(DevicePassTest, AccumAdam) {
  Expect(AccumAdamPass, AccumAdamStep{kAdam, 0.25}, 3);
  Expect(AccumAdamCommitPass, AccumAdamStep{kAdam, 0.25}, 3);
}

}  // namespace
}  // namespace starling
