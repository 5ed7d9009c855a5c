#include "optim/exact_average.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"
#include "optim/worker.h"

namespace starling {
namespace {

// Worker r starts from r + k in element k, so the mean is exact.
TEST(ExactAverage, IsTheMeanOfAllWorkersInEveryBucket) {
  for (int n : {1, 3, 4}) {
    for (bool overlap : {true, false}) {
      const auto body = [&](Communicator* comm) -> absl::Status {
        const Layout layout = TestLayout(1, DType::kF64);
        Worker worker;
        worker.id = comm->rank();
        worker.count = comm->size();
        worker.comm = comm;
        worker.layout = &layout;
        worker.mixing.overlap = overlap;
        std::vector<double> values(layout.size);
        for (size_t k = 0; k < values.size(); ++k) values[k] = comm->rank() + 4.0 * k;
        const Buffer whole = AsBuffer(absl::MakeSpan(values));
        ASSIGN_OR_RETURN(const auto average,
                         ExactAverage::Create(worker, /*stream=*/5, DType::kF64));
        const int buckets = static_cast<int>(layout.buckets.size());
        for (int64_t round : {7, 8}) {  // the second average changes nothing
          for (int b = 0; b < buckets; ++b) {
            const Range& range = layout.buckets[b];
            RETURN_IF_ERROR(average->Begin(round, b, whole.Slice(range.offset, range.count)));
          }
          for (int b = 0; b < buckets; ++b) RETURN_IF_ERROR(average->End(b));
          for (size_t k = 0; k < values.size(); ++k) {
            EXPECT_NEAR(values[k], (n - 1) / 2.0 + 4.0 * k, 1e-12) << n << " workers";
          }
        }
        return absl::OkStatus();
      };
      EXPECT_EQ(RunWorkers(n, 2, body), absl::OkStatus());
    }
  }
}

}  // namespace
}  // namespace starling
