#include <cstdint>
#include <cstring>

#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

TestRun RunOf(const char* algorithm, const char* config) {
  TestRun run;
  run.algorithm = algorithm;
  run.config = config;
  run.objective = Quadratics::Heterogeneous(3);
  run.steps = 4;
  return run;
}

Matrix Trained(const TestRun& run) {
  const auto result = Train(run);
  CHECK_OK(result);
  return result->x;
}

uint64_t Bits(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

TEST(BitFlipTest, ChangesOneBitOfOneElementOfOneWorker) {
  const Matrix plain = Trained(RunOf("allreduce", ""));
  const Matrix flipped =
      Trained(RunOf("bit_flip",
                    "algorithm { name: 'allreduce' } step: 4 worker: 1 tensor: 'b' element: 1 "
                    "bit: 50"));
  int different = 0;
  for (size_t worker = 0; worker < plain.size(); ++worker) {
    for (size_t k = 0; k < plain[worker].size(); ++k) {
      if (Bits(plain[worker][k]) == Bits(flipped[worker][k])) continue;
      ++different;
      EXPECT_EQ(worker, 1u);
      EXPECT_EQ(Bits(plain[worker][k]) ^ Bits(flipped[worker][k]), uint64_t{1} << 50);
    }
  }
  EXPECT_EQ(different, 1);
}

TEST(BitFlipTest, OtherwiseIsTheOtherAlgorithm) {
  EXPECT_TRUE(SameBits(Trained(RunOf("allreduce", "")),
                       Trained(RunOf("bit_flip", "algorithm { name: 'allreduce' }"))));
}

}  // namespace
}  // namespace starling
