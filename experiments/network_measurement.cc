#include "experiments/network_measurement.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cluster/message_times.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr int kRepetitions = 15;
constexpr int kSizes = 5;                 // each half of the next
constexpr double kLongSeconds = 0.06;     // about what the largest message takes
constexpr int64_t kMostBytes = 16 << 20;  // of it
constexpr int64_t kFewestBytes = 4 << 10;
constexpr int64_t kMostInARow = 16;      // messages of one time
constexpr double kSharesBothWays = 1.5;  // one way faster than both by this: half duplex

ExchangeOptions Options() {
  ExchangeOptions options;
  options.deadline = absl::Minutes(1);
  options.traffic = Traffic::kMeasurement;
  return options;
}

void Set(const std::string& field, double value, double spread, ClusterSpec* cluster) {
  const auto* descriptor = ClusterSpec::descriptor()->FindFieldByName(field);
  cluster->GetReflection()->SetDouble(cluster, descriptor, value);
  Spread* entry = cluster->add_spread();
  entry->set_field(field);
  entry->set_relative(spread);
}

class NetworkMeasurement {
 public:
  NetworkMeasurement(Communicator* comm, int64_t* number, const Say& say)
      : comm_(comm),
        number_(number),
        say_(say),
        per_node_(comm->workers_per_node()),
        node_(comm->rank() / per_node_),
        local_(comm->rank() % per_node_) {}

  absl::StatusOr<ClusterSpec> Run() {
    ASSIGN_OR_RETURN(out_, comm_->Allocate(kMostBytes / SizeOf(DType::kF32), DType::kF32));
    ASSIGN_OR_RETURN(in_, comm_->Allocate(kMostBytes / SizeOf(DType::kF32), DType::kF32));
    const bool has_pairs_inside = per_node_ > 1;
    const bool has_machines = comm_->size() > per_node_;
    const int inside = Partner(node_, local_ ^ 1);
    const int across = Partner(node_ ^ 1, local_);
    const int first = local_ == 0 ? across : -1;

    ClusterSpec cluster;
    cluster.set_workers_per_node(per_node_);
    if (!has_machines) cluster.set_nodes(1);
    if (has_pairs_inside) {
      ASSIGN_OR_RETURN(const auto sum, Measure("pairs inside", Sum(PairWith(inside))));
      Set("node_gbps", sum.gbps, sum.gbps_spread, &cluster);
    }
    // Between machines where there are several: that is the latency that counts.
    const int peer = has_machines ? first : inside;
    ASSIGN_OR_RETURN(const auto message, Measure("one message", Messages(peer, true, true)));
    if (has_machines) {
      ASSIGN_OR_RETURN(const auto one_way,
                       Measure("one way", Messages(first, node_ % 2 == 0, node_ % 2 == 1)));
      const bool shares = one_way.gbps > kSharesBothWays * message.gbps;
      const double both = shares ? 2 : 1;
      cluster.set_half_duplex(shares);
      ASSIGN_OR_RETURN(const auto one_pair, Measure("one pair", Sum(PairWith(first))));
      LatencyAndRate all_pairs = one_pair;
      if (has_pairs_inside) {
        // Pairs of a partly filled last machine do not count: those of full ones are slower.
        ASSIGN_OR_RETURN(all_pairs, Measure("all pairs", Sum(PairWith(across))));
        all_pairs.gbps *= per_node_;
        Set("communicator_gbps", one_pair.gbps, one_pair.gbps_spread, &cluster);
      }
      Set("nic_gbps", both * all_pairs.gbps, all_pairs.gbps_spread, &cluster);
    }
    std::vector<int> everyone(comm_->size());
    std::iota(everyone.begin(), everyone.end(), 0);
    ASSIGN_OR_RETURN(const auto sum, Measure("all workers", Sum(everyone)));
    SetLatencies(message, sum, 2 * (has_pairs_inside + has_machines), &cluster);
    return cluster;
  }

 private:
  // Starts what this worker does with one message; null: nothing.
  using Start = std::function<absl::StatusOr<std::unique_ptr<Work>>(Buffer message, MessageKey)>;

  // A message takes collective + 1 hop, a sum in so many phases collective + phases hops.
  static void SetLatencies(const LatencyAndRate& message, const LatencyAndRate& sum, int phases,
                           ClusterSpec* cluster) {
    const double hop =
        std::clamp((sum.latency_us - message.latency_us) / (phases - 1), 0.0, message.latency_us);
    Set("hop_latency_us", hop, sum.latency_spread, cluster);
    Set("collective_latency_us", message.latency_us - hop, message.latency_spread, cluster);
  }

  // The rank of a worker; -1 if there is none.
  int Partner(int node, int local) const {
    const int rank = node * per_node_ + local;
    return local < per_node_ && rank < comm_->size() ? rank : -1;
  }

  std::vector<int> PairWith(int peer) const {
    if (peer < 0) return {};
    return {std::min(peer, comm_->rank()), std::max(peer, comm_->rank())};
  }

  Start Messages(int peer, bool sends, bool receives) const {
    return [=](Buffer message, MessageKey key) -> absl::StatusOr<std::unique_ptr<Work>> {
      if (peer < 0) return nullptr;
      std::vector<Send> out;
      std::vector<Receive> in;
      if (sends) out.push_back({peer, key, message});
      if (receives) in.push_back({peer, key, in_.Slice(0, message.count)});
      return comm_->Exchange(out, in, Options());
    };
  }

  Start Sum(std::vector<int> group) const {
    return [=](Buffer message, MessageKey key) -> absl::StatusOr<std::unique_ptr<Work>> {
      if (group.size() < 2) return nullptr;
      return comm_->AllReduceSum(group, key, message, Options());
    };
  }

  absl::StatusOr<LatencyAndRate> Measure(const std::string& name, const Start& start) {
    int64_t largest = kFewestBytes << (kSizes - 1);
    while (2 * largest <= kMostBytes) {
      ASSIGN_OR_RETURN(const double seconds, Seconds(start, largest, 1));
      if (seconds > kLongSeconds / 1.5) break;
      largest *= 2;
    }
    MessageTimes times;
    for (int i = kSizes - 1; i >= 0; --i) times.bytes.push_back(largest >> i);
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      times.seconds.emplace_back();
      for (int64_t bytes : times.bytes) {
        ASSIGN_OR_RETURN(const double seconds,
                         Seconds(start, bytes, std::min(kMostInARow, largest / bytes)));
        times.seconds.back().push_back(seconds);
      }
    }
    const LatencyAndRate fit = FitMessageTimes(times);
    say_(absl::StrFormat("  %-12s %9.1f us + %8.4g Gbit/s (+- %.1f %%), up to %d KiB", name,
                         fit.latency_us, fit.gbps, 100 * fit.gbps_spread, largest >> 10));
    return fit;
  }

  // Of one message among some in a row, of the slowest worker.
  absl::StatusOr<double> Seconds(const Start& start, int64_t bytes, int64_t in_a_row) {
    const Buffer message = out_.Slice(0, bytes / SizeOf(DType::kF32));
    RETURN_IF_ERROR(GatherMeasured(comm_, (*number_)++, 0).status());  // all begin together
    const double begin = comm_->clock().NowSeconds();
    double end = begin;
    for (int64_t i = 0; i < in_a_row; ++i) {
      ASSIGN_OR_RETURN(const auto work, start(message, {1, (*number_)++, 0, 0}));
      if (work == nullptr) continue;
      RETURN_IF_ERROR(work->Wait());
      if (message.place == Place::kDevice) {
        RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));
      }
      end = comm_->clock().NowSeconds();
    }
    ASSIGN_OR_RETURN(const auto seconds, GatherMeasured(comm_, (*number_)++, end - begin));
    return *std::max_element(seconds.begin(), seconds.end()) / static_cast<double>(in_a_row);
  }

  Communicator* const comm_;
  int64_t* const number_;  // of the next exchange
  const Say& say_;
  const int per_node_, node_, local_;
  Buffer out_, in_;
};

}  // namespace

absl::StatusOr<std::vector<double>> GatherMeasured(Communicator* comm, int64_t number, double own) {
  std::vector<int> everyone(comm->size());
  std::iota(everyone.begin(), everyone.end(), 0);
  std::vector<double> values(comm->size(), 0.0);
  values[comm->rank()] = own;
  ASSIGN_OR_RETURN(const auto sum, comm->AllReduceSum(everyone, {0, number, 0, 0},
                                                      AsBuffer(absl::MakeSpan(values)), Options()));
  RETURN_IF_ERROR(sum->Wait());
  return values;
}

absl::StatusOr<ClusterSpec> MeasureNetwork(Communicator* comm, int64_t* number, const Say& say) {
  if (comm->size() == 1) return ClusterSpec();
  return NetworkMeasurement(comm, number, say).Run();
}

}  // namespace starling
