// Bandwidth of an exchange between two workers of backend "mpi" against a bare MPI_Sendrecv of as
// many bytes, both ways at once. The columns are nccl-tests' (of its sendrecv): bandwidths count
// what one worker sends. Each time is a median over repetitions in which the two take turns, of
// the slower worker; the ratio (of bandwidths) is the median of the repetitions' ratios. All that
// arrives is compared with what was sent.
//
// The last line says what the thread that keeps MPI going costs a worker that computes while a
// message is on its way: the speed of a loop beside a pending exchange, against that of the loop
// alone.
//
//   mpirun -np 2 bazel-bin/comm/mpi/exchange_benchmark
//   tests/netcluster/run --rate=1gbit --program=bazel-bin/comm/mpi/exchange_benchmark
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/backend.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/registry.h"
#include "core/status.h"
#include "mpi.h"

namespace starling {
namespace {

constexpr int kRepetitions = 31;
constexpr int64_t kSizes[] = {8, 1 << 10, 8 << 10, 64 << 10, 1 << 20, 8 << 20, 25 << 20};
constexpr int64_t kBytesPerTurn = 32 << 20;
constexpr int64_t kMostPerTurn = 200;

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

class Benchmark {
 public:
  explicit Benchmark(Communicator* comm) : comm_(comm), peer_(1 - comm->rank()) {
    MPI_Comm_dup(MPI_COMM_WORLD, &bare_);
  }
  ~Benchmark() { MPI_Comm_free(&bare_); }

  absl::Status Run() {
    Print("#%12s %12s %8s   %30s   %30s\n", "", "", "", "Exchange", "MPI_Sendrecv");
    for (const char* line : {"size", "(B)"}) {
      const bool names = line[0] == 's';
      Print("#%12s %12s %8s", line, names ? "count" : "(elements)", names ? "type" : "");
      for (int side = 0; side < 2; ++side) {
        Print("   %10s %9s %9s", names ? "time" : "(us)", names ? "algbw" : "(GB/s)",
              names ? "busbw" : "(GB/s)");
      }
      Print(" %7s %7s\n", names ? "ratio" : "", names ? "#wrong" : "");
    }
    for (int64_t size : kSizes) RETURN_IF_ERROR(Compare(size));
    return Compute();
  }

 private:
  template <typename... Values>
  void Print(const char* format, Values... values) const {
    if (comm_->rank() == 0) std::printf(format, values...);
  }

  absl::Status Compare(int64_t size) {
    const Arena out(size / 4, DType::kF32), in(size / 4, DType::kF32), sent(size / 4, DType::kF32);
    std::vector<double> ours, bare, ratios;
    int64_t wrong = 0;
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      Fill(comm_->rank() + 2 * repetition, out.buffer());
      Fill(peer_ + 2 * repetition, sent.buffer());
      double seconds[2];
      for (int i = 0; i < 2; ++i) {
        const bool exchange = i == repetition % 2;
        std::memset(in.buffer().data, 0, size);
        ASSIGN_OR_RETURN(seconds[exchange], Turn(exchange, out.buffer(), in.buffer()));
        wrong += std::memcmp(in.buffer().data, sent.buffer().data, size) != 0;
      }
      ours.push_back(seconds[true]);
      bare.push_back(seconds[false]);
      ratios.push_back(seconds[false] / seconds[true]);
    }
    MPI_Allreduce(MPI_IN_PLACE, &wrong, 1, MPI_INT64_T, MPI_SUM, bare_);
    Print(" %12lld %12lld %8s", static_cast<long long>(size), static_cast<long long>(size / 4),
          "float");
    for (const std::vector<double>& times : {ours, bare}) {
      const double seconds = Median(times);
      const double rate = static_cast<double>(size) / seconds * 1e-9;
      Print("   %10.2f %9.3f %9.3f", 1e6 * seconds, rate, rate);
    }
    Print(" %7.3f %7lld\n", Median(ratios), static_cast<long long>(wrong));
    if (comm_->rank() == 0) std::fflush(stdout);
    return wrong == 0 ? absl::OkStatus() : absl::InternalError("wrong bytes have arrived");
  }

  static void Fill(int message, Buffer buffer) {
    auto* values = static_cast<float*>(buffer.data);
    for (int64_t i = 0; i < buffer.count; ++i) {
      values[i] = static_cast<float>(message) + static_cast<float>(i % 1021);
    }
  }

  // Seconds of one exchange, of some in a row, on the slower worker.
  absl::StatusOr<double> Turn(bool exchange, Buffer out, Buffer in) {
    const int64_t times = std::clamp<int64_t>(kBytesPerTurn / out.bytes(), 1, kMostPerTurn);
    MPI_Barrier(bare_);
    const double begin = MPI_Wtime();
    for (int64_t i = 0; i < times; ++i) {
      if (exchange) {
        ASSIGN_OR_RETURN(auto work, Start(out, in));
        RETURN_IF_ERROR(work->Wait());
      } else {
        MPI_Sendrecv(out.data, static_cast<int>(out.bytes()), MPI_BYTE, peer_, 0, in.data,
                     static_cast<int>(in.bytes()), MPI_BYTE, peer_, 0, bare_, MPI_STATUS_IGNORE);
      }
    }
    double seconds = MPI_Wtime() - begin;
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, bare_);
    return seconds / static_cast<double>(times);
  }

  // Empty buffers: that direction is left out.
  absl::StatusOr<std::unique_ptr<Work>> Start(Buffer out, Buffer in) {
    std::vector<Send> sends;
    std::vector<Receive> receives;
    if (out.count > 0) sends.push_back({peer_, {0, sends_++, 0, 0}, out});
    if (in.count > 0) receives.push_back({peer_, {0, receives_++, 0, 0}, in});
    return comm_->Exchange(sends, receives, {});
  }

  absl::Status Compute() {
    const Arena value(1, DType::kF32);
    std::vector<double> ratios;
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      double seconds[2];
      for (int i = 0; i < 2; ++i) {
        const bool pending = i == repetition % 2;
        MPI_Barrier(bare_);
        std::unique_ptr<Work> work;
        if (pending) {
          ASSIGN_OR_RETURN(work, Start(Buffer(), value.buffer()));
        }
        seconds[pending] = SecondsOfLoop();
        MPI_Barrier(bare_);
        if (!pending) continue;
        ASSIGN_OR_RETURN(auto send, Start(value.buffer(), Buffer()));
        RETURN_IF_ERROR(send->Wait());
        RETURN_IF_ERROR(work->Wait());
      }
      ratios.push_back(seconds[false] / seconds[true]);
    }
    Print("# speed of a loop beside a pending exchange, against that of the loop alone: %.3f\n",
          Median(ratios));
    return absl::OkStatus();
  }

  // About 30 ms.
  static double SecondsOfLoop() {
    const double begin = MPI_Wtime();
    volatile double value = 1;
    for (int i = 0; i < 10'000'000; ++i) value = value * 0.999999 + 1e-6;
    return MPI_Wtime() - begin;
  }

  Communicator* comm_;
  int peer_;
  MPI_Comm bare_;
  int64_t sends_ = 0, receives_ = 0;
};

absl::Status Main() {
  PluginRef ref;
  ref.set_name("mpi");
  Backend::Context world;
  world.workers = 2;
  world.workers_per_node = 1;
  ASSIGN_OR_RETURN(auto backend, Registry<Backend>::Global().Create(ref, world));
  return backend->Run([](Communicator* comm) { return Benchmark(comm).Run(); });
}

}  // namespace
}  // namespace starling

int main() {
  const absl::Status status = starling::Main();
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
