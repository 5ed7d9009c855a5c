// The part of BackendConformance that is about group sums.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "comm/backend_conformance.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/status.h"

namespace starling {
namespace {

// Where this worker's vectors lie.
absl::Status SumNow(Communicator* comm, const std::vector<int>& group, MessageKey key,
                    Buffer values) {
  const Arena vector = Zeros(comm, values.count, values.type);
  CopyNow(values, vector.buffer());
  ASSIGN_OR_RETURN(auto work, comm->AllReduceSum(group, key, vector.buffer(), {}));
  RETURN_IF_ERROR(work->Wait());
  CopyNow(vector.buffer(), values);
  return absl::OkStatus();
}

std::vector<int> Everyone(int workers) {
  std::vector<int> ranks;
  for (int rank = 0; rank < workers; ++rank) ranks.push_back(rank);
  return ranks;
}

// Partitions of the workers; with 2 or 4 workers per machine some groups have equally many members
// on each of their machines and some do not.
std::vector<std::vector<std::vector<int>>> Partitions(int workers) {
  const std::vector<std::function<int(int)>> parts = {
      [](int) { return 0; },                   // everyone
      [](int rank) { return rank; },           // everyone alone
      [](int rank) { return rank % 2; },       // even and odd
      [](int rank) { return rank < 3; },       // the first three and the others
      [](int rank) { return rank / 4; },       // neighbours
      [](int rank) { return rank * 7 % 5; }};  // here and there
  std::vector<std::vector<std::vector<int>>> partitions;
  for (const auto& part : parts) {
    std::map<int, std::vector<int>> groups;
    for (int rank = 0; rank < workers; ++rank) groups[part(rank)].push_back(rank);
    partitions.emplace_back();
    for (const auto& [name, group] : groups) partitions.back().push_back(group);
  }
  return partitions;
}

const std::vector<int>& GroupOf(int rank, const std::vector<std::vector<int>>& groups) {
  return *std::find_if(groups.begin(), groups.end(), [rank](const std::vector<int>& group) {
    return std::count(group.begin(), group.end(), rank) > 0;
  });
}

// Small integers: sums are exact in every order.
int Term(int rank, int64_t i) { return static_cast<int>((rank * 13 + i * 7) % 101) - 50; }

template <typename T>
absl::Status ExpectExactSum(Communicator* comm, const std::vector<int>& group, MessageKey key,
                            int64_t count) {
  std::vector<T> values(count), expected(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = Term(comm->rank(), i);
    for (int member : group) expected[i] += Term(member, i);
  }
  RETURN_IF_ERROR(SumNow(comm, group, key, AsBuffer(absl::MakeSpan(values))));
  EXPECT_EQ(values, expected) << "worker " << comm->rank() << " of " << group.size() << ", count "
                              << count;
  return absl::OkStatus();
}

TEST_P(BackendConformance, SumsOverGroupsAreExact) {
  for (int workers_per_node : {1, 2, 4}) {
    const auto body = [&](Communicator* comm) -> absl::Status {
      int64_t round = 0;
      for (const auto& groups : Partitions(workers())) {
        const std::vector<int>& group = GroupOf(comm->rank(), groups);
        for (int64_t count : {0, 1, 7, 4096}) {
          RETURN_IF_ERROR(ExpectExactSum<float>(comm, group, {1, round, 0, 0}, count));
          RETURN_IF_ERROR(ExpectExactSum<double>(comm, group, {2, round, 0, 0}, count));
          ++round;
        }
      }
      return absl::OkStatus();
    };
    EXPECT_EQ(Run(body, workers_per_node), absl::OkStatus()) << workers_per_node;
  }
}

using Terms = std::vector<std::vector<float>>;  // by rank

Terms RandomTerms(int workers, int64_t count) {
  Terms terms(workers, std::vector<float>(count));
  for (int rank = 0; rank < workers; ++rank) {
    Random random(StreamKey(1, Purpose::kTest, rank, 0));
    for (float& term : terms[rank]) term = static_cast<float>(random.Normal());
  }
  return terms;
}

// Rounds the values to those that `type` has.
void Round(DType type, std::vector<float>* values) {
  const Buffer floats = AsBuffer(absl::MakeSpan(*values));
  const Arena rounded(floats.count, type);
  ops::Convert(floats, rounded.buffer());
  ops::Convert(rounded.buffer(), floats);
}

// The order of additions that is promised: machine by machine, on each by rank; by rank alone if
// the machines hold unequal numbers of members.
// Sums of halves are rounded to `type` on every machine and in the end.
std::vector<float> ReferenceSum(const std::vector<int>& group, int workers_per_node,
                                const Terms& terms, DType type = DType::kF32) {
  std::map<int, std::vector<int>> machines;
  for (int rank : group) machines[rank / workers_per_node].push_back(rank);
  for (const auto& [machine, members] : machines) {
    if (members.size() == machines.begin()->second.size()) continue;
    machines = {{0, group}};
    break;
  }
  const size_t count = terms[0].size();
  std::vector<float> sum;
  for (const auto& [machine, members] : machines) {
    std::vector<float> partial;
    for (int rank : members) {
      if (partial.empty()) partial.assign(count, -0.0f);
      for (size_t i = 0; i < count; ++i) partial[i] += terms[rank][i];
    }
    Round(type, &partial);
    if (sum.empty()) sum.assign(count, -0.0f);
    for (size_t i = 0; i < count; ++i) sum[i] += partial[i];
  }
  Round(type, &sum);
  return sum;
}

// Rounding errors are the same for any cut into buckets, and those of the promised order.
TEST_P(BackendConformance, BitsOfSumsDependOnTheGroupAlone) {
  constexpr int64_t kCount = 1000;
  const Terms terms = RandomTerms(workers(), kCount);
  for (int workers_per_node : {1, 2, 4}) {
    const auto body = [&](Communicator* comm) -> absl::Status {
      int64_t round = 0;
      for (const auto& groups : Partitions(workers())) {
        const std::vector<int>& group = GroupOf(comm->rank(), groups);
        const std::vector<float> expected = ReferenceSum(group, workers_per_node, terms);
        for (int64_t cut : {int64_t{33}, int64_t{300}, kCount}) {
          std::vector<float> values = terms[comm->rank()];
          const Arena vector = Zeros(comm, kCount, DType::kF32);
          const Buffer whole = vector.buffer();
          CopyNow(AsBuffer(absl::MakeSpan(values)), whole);
          std::vector<std::unique_ptr<Work>> works;
          for (int64_t begin = 0; begin < kCount; begin += cut) {
            const MessageKey key{1, round, static_cast<int32_t>(begin / cut), 0};
            ASSIGN_OR_RETURN(
                auto work, comm->AllReduceSum(
                               group, key, whole.Slice(begin, std::min(cut, kCount - begin)), {}));
            works.push_back(std::move(work));
          }
          for (auto& work : works) RETURN_IF_ERROR(work->Wait());
          CopyNow(whole, AsBuffer(absl::MakeSpan(values)));
          EXPECT_EQ(std::memcmp(values.data(), expected.data(), kCount * sizeof(float)), 0)
              << "group of " << group.size() << ", cut " << cut << ", round " << round;
          ++round;
        }
      }
      return absl::OkStatus();
    };
    EXPECT_EQ(Run(body, workers_per_node), absl::OkStatus()) << workers_per_node;
  }
}

TEST_P(BackendConformance, SumsOfHalvesAreRoundedOncePerLevel) {
  constexpr int64_t kCount = 1000;
  for (DType type : {DType::kF16, DType::kBF16}) {
    Terms terms = RandomTerms(workers(), kCount);
    for (auto& row : terms) Round(type, &row);
    for (int workers_per_node : {1, 2, 4}) {
      const auto body = [&](Communicator* comm) -> absl::Status {
        int64_t round = 0;
        for (const auto& groups : Partitions(workers())) {
          const std::vector<int>& group = GroupOf(comm->rank(), groups);
          const Arena values(kCount, type);
          std::vector<float> sum = terms[comm->rank()];
          ops::Convert(AsBuffer(absl::MakeSpan(sum)), values.buffer());
          RETURN_IF_ERROR(SumNow(comm, group, {1, round++, 0, 0}, values.buffer()));
          ops::Convert(values.buffer(), AsBuffer(absl::MakeSpan(sum)));
          EXPECT_EQ(sum, ReferenceSum(group, workers_per_node, terms, type))
              << "group of " << group.size() << ", " << DTypeName(type);
        }
        return absl::OkStatus();
      };
      EXPECT_EQ(Run(body, workers_per_node), absl::OkStatus()) << workers_per_node;
    }
  }
}

// 2 (m-1)/m of the vector per member, where that is a whole number of padding lines.
TEST_P(BackendConformance, SumsSendWhatIsPredicted) {
  for (int workers_per_node : {1, 2, 4}) {
    const auto body = [&](Communicator* comm) -> absl::Status {
      int64_t round = 0;
      for (const auto& groups : Partitions(workers())) {
        const std::vector<int>& group = GroupOf(comm->rank(), groups);
        const int64_t members = static_cast<int64_t>(group.size());
        const int64_t before = comm->bytes_sent(Traffic::kTraining);
        const Arena values(32 * members, DType::kF32);
        RETURN_IF_ERROR(SumNow(comm, group, {1, round++, 0, 0}, values.buffer()));
        EXPECT_EQ(comm->bytes_sent(Traffic::kTraining) - before, 2 * (members - 1) * 32 * 4)
            << members << " members";
      }
      ExchangeOptions measurement;
      measurement.traffic = Traffic::kMeasurement;
      const int64_t before = comm->bytes_sent(Traffic::kTraining);
      const Arena values = Zeros(comm, 32 * workers(), DType::kF32);
      ASSIGN_OR_RETURN(auto work, comm->AllReduceSum(Everyone(workers()), {1, round, 0, 0},
                                                     values.buffer(), measurement));
      RETURN_IF_ERROR(work->Wait());
      EXPECT_EQ(comm->bytes_sent(Traffic::kMeasurement), 2 * (workers() - 1) * 32 * 4);
      EXPECT_EQ(comm->bytes_sent(Traffic::kTraining), before);
      return absl::OkStatus();
    };
    EXPECT_EQ(Run(body, workers_per_node), absl::OkStatus()) << workers_per_node;
  }
}

TEST_P(BackendConformance, SumsNeedOneCoreOnly) {
  const auto body = [&](Communicator* comm) -> absl::Status {
    for (int64_t round = 0; round < 5; ++round) {
      RETURN_IF_ERROR(ExpectExactSum<float>(comm, Everyone(workers()), {1, round, 0, 0}, 100));
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body, /*workers_per_node=*/2, /*cores=*/1), absl::OkStatus());
}

TEST_P(BackendConformance, SumsEndAtTheirDeadlineOrWithAnAbort) {
  for (bool abort : {false, true}) {
    const auto body = [&](Communicator* comm) -> absl::Status {
      if (comm->rank() == comm->size() - 1) {
        if (abort) comm->Abort(absl::InternalError("enough"));
        return absl::OkStatus();
      }
      const Arena values = Zeros(comm, 100, DType::kF32);
      ExchangeOptions options;
      if (!abort) options.deadline = absl::Milliseconds(50);
      ASSIGN_OR_RETURN(auto work, comm->AllReduceSum(Everyone(workers()), {1, 0, 0, 0},
                                                     values.buffer(), options));
      const absl::Status status = work->Wait();
      EXPECT_EQ(status.code(),
                abort ? absl::StatusCode::kAborted : absl::StatusCode::kDeadlineExceeded);
      EXPECT_TRUE(work->Done());
      EXPECT_EQ(work->Wait(), status);
      return absl::OkStatus();
    };
    EXPECT_EQ(Run(body, /*workers_per_node=*/2), absl::OkStatus());
  }
}

// The sum that nobody waits for must leave the next one alone.
TEST_P(BackendConformance, ForgottenSumsDoNoHarm) {
  const auto body = [&](Communicator* comm) -> absl::Status {
    {
      const Arena forgotten = Zeros(comm, 500, DType::kF32);
      ASSIGN_OR_RETURN(
          auto work, comm->AllReduceSum(Everyone(workers()), {1, 0, 0, 0}, forgotten.buffer(), {}));
    }
    return ExpectExactSum<float>(comm, Everyone(workers()), {1, 1, 0, 0}, 500);
  };
  EXPECT_EQ(Run(body, /*workers_per_node=*/2), absl::OkStatus());
}

}  // namespace
}  // namespace starling
