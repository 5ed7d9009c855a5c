#include "experiments/network_measurement.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "cluster/message_times.h"
#include "core/buffer.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr int kRepetitions = 9;
constexpr int kSizes = 5;                      // each half of the next
constexpr double kLongestSeconds = 0.06;       // of the largest message
constexpr int64_t kMostBytes = 16 << 20;       // ... unless it would be larger than this
constexpr int64_t kMostTimes = 16;             // exchanges in a row

class Measurement {
 public:
  Measurement(Communicator* comm, const std::function<void(const std::string&)>& say)
      : comm_(comm), say_(say), per_node_(comm->workers_per_node()) {
    everyone_.resize(comm->size());
    std::iota(everyone_.begin(), everyone_.end(), 0);
  }

  absl::StatusOr<ClusterSpec> Run() {
    ASSIGN_OR_RETURN(out_, comm_->Allocate(kMostBytes / 4, DType::kF32));
    ASSIGN_OR_RETURN(in_, comm_->Allocate(kMostBytes / 4, DType::kF32));
    const int rank = comm_->rank(), node = rank / per_node_, local = rank % per_node_;
    const int inside = rank - local + (local ^ 1);
    const int across = (node ^ 1) * per_node_ + local;
    const auto partner = [&](int peer, bool takes_part) {
      const bool same = peer / per_node_ == node && peer < comm_->size();
      (void)same;
      return takes_part && peer < comm_->size() ? peer : -1;
    };
    const int in_peer = per_node_ > 1 ? partner(inside, (local ^ 1) < per_node_) : -1;
    ASSIGN_OR_RETURN(auto a, Measure("inside X", Pair(in_peer, true, true)));
    ASSIGN_OR_RETURN(a, Measure("inside S", Sum(in_peer)));
    const int one = partner(across, local == 0);
    ASSIGN_OR_RETURN(a, Measure("across X", Pair(one, true, true)));
    ASSIGN_OR_RETURN(a, Measure("across S", Sum(one)));
    ASSIGN_OR_RETURN(a, Measure("oneway X", Pair(one, node % 2 == 0, node % 2 == 1)));
    const int all = partner(across, true);
    ASSIGN_OR_RETURN(a, Measure("cards X", Pair(all, true, true)));
    ASSIGN_OR_RETURN(a, Measure("cards S", Sum(all)));
    std::vector<int> two;
    for (int i = 0; i < comm_->size(); ++i) if (i / per_node_ / 2 == node / 2) two.push_back(i);
    ASSIGN_OR_RETURN(a, Measure("two nodes", Group(two)));
    ASSIGN_OR_RETURN(a, Measure("all", Group(everyone_)));
    return ClusterSpec();
  }

 private:
  // Starts what this worker does in a pattern with messages of so many bytes; null: nothing.
  using Start = std::function<absl::StatusOr<std::unique_ptr<Work>>(int64_t bytes)>;

  Start Pair(int peer, bool sends, bool receives) {
    return [=](int64_t bytes) -> absl::StatusOr<std::unique_ptr<Work>> {
      const MessageKey key{1, number_++, 0, 0};
      if (peer < 0) return nullptr;
      std::vector<Send> out;
      std::vector<Receive> in;
      if (sends) out.push_back({peer, key, out_.Slice(0, bytes / 4)});
      if (receives) in.push_back({peer, key, in_.Slice(0, bytes / 4)});
      return comm_->Exchange(out, in, Options());
    };
  }
  Start Group(std::vector<int> group) {
    return [=](int64_t bytes) -> absl::StatusOr<std::unique_ptr<Work>> {
      const MessageKey key{1, number_++, 0, 0};
      if (group.size() < 2) return nullptr;
      return comm_->AllReduceSum(group, key, out_.Slice(0, bytes / 4), Options());
    };
  }
  Start Sum(int peer) {
    if (peer < 0) return Group({});
    return Group({std::min(peer, comm_->rank()), std::max(peer, comm_->rank())});
  }

  static ExchangeOptions Options() {
    ExchangeOptions options;
    options.deadline = absl::Seconds(60);
    options.traffic = Traffic::kMeasurement;
    return options;
  }

  absl::StatusOr<LatencyAndRate> Measure(const std::string& name, const Start& start) {
    int64_t largest = 1 << 12;
    while (true) {
      ASSIGN_OR_RETURN(const double seconds, Turn(start, largest, 1));
      if (seconds == 0) return LatencyAndRate();
      if (2 * largest > kMostBytes || seconds > kLongestSeconds / 1.5) break;
      largest *= 2;
    }
    MessageTimes times;
    for (int i = kSizes - 1; i >= 0; --i) times.bytes.push_back(largest >> i);
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      times.seconds.emplace_back();
      for (int64_t bytes : times.bytes) {
        ASSIGN_OR_RETURN(const double seconds,
                         Turn(start, bytes, std::min(kMostTimes, largest / bytes)));
        times.seconds.back().push_back(seconds);
      }
    }
    const LatencyAndRate fit = FitMessageTimes(times);
    std::string line = absl::StrFormat("%-9s %7.1f us (%4.2f) %8.4f Gbps (%5.3f)", name,
                                       fit.latency_us, fit.latency_spread, fit.gbps,
                                       fit.gbps_spread);
    for (size_t i = 0; i < times.bytes.size(); ++i) {
      std::vector<double> c;
      for (auto& r : times.seconds) c.push_back(r[i]);
      line += absl::StrFormat(" %d:%.2f", times.bytes[i] >> 10, Median(c) * 1e3);
    }
    say_(line);
    return fit;
  }

  // Seconds per exchange of some in a row, of the slowest worker.
  absl::StatusOr<double> Turn(const Start& start, int64_t bytes, int64_t times) {
    RETURN_IF_ERROR(GatherMeasured(comm_, number_++, 0).status());
    const double begin = comm_->clock().NowSeconds();
    bool takes_part = false;
    for (int64_t i = 0; i < times; ++i) {
      ASSIGN_OR_RETURN(const auto work, start(bytes));
      if (work == nullptr) continue;
      takes_part = true;
      RETURN_IF_ERROR(work->Wait());
    }
    const double own = takes_part ? comm_->clock().NowSeconds() - begin : 0;
    ASSIGN_OR_RETURN(const auto seconds, GatherMeasured(comm_, number_++, own));
    return *std::max_element(seconds.begin(), seconds.end()) / static_cast<double>(times);
  }

  Communicator* comm_;
  const std::function<void(const std::string&)>& say_;
  const int per_node_;
  std::vector<int> everyone_;
  Buffer out_, in_;
  int64_t number_ = 0;  // of the next exchange
};

}  // namespace

absl::StatusOr<std::vector<double>> GatherMeasured(Communicator* comm, int64_t number, double own) {
  std::vector<int> everyone(comm->size());
  std::iota(everyone.begin(), everyone.end(), 0);
  std::vector<double> values(comm->size(), 0.0);
  values[comm->rank()] = own;
  ExchangeOptions options;
  options.traffic = Traffic::kMeasurement;
  ASSIGN_OR_RETURN(const auto sum,
                   comm->AllReduceSum(everyone, {0, number, 0, 0},
                                      AsBuffer(absl::MakeSpan(values)), options));
  RETURN_IF_ERROR(sum->Wait());
  return values;
}

absl::StatusOr<ClusterSpec> MeasureNetwork(Communicator* comm,
                                           const std::function<void(const std::string&)>& say) {
  return Measurement(comm, say).Run();
}

}  // namespace starling
