#include "experiments/network_measurement.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/clock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

class FakeClock final : public Clock {
 public:
  double NowSeconds() override { return now_; }
  void SleepUntil(double seconds) override { now_ = seconds; }
  void Spend(double seconds) { now_ += seconds; }

 private:
  double now_ = 7;
};

class DoneWork final : public Work {
 public:
  bool Done() override { return true; }
  absl::Status Wait() override { return absl::OkStatus(); }
  absl::Span<const Arrival> arrivals() const override { return {}; }
  std::string Missing() const override { return ""; }
};

struct Network {
  double collective_us = 0, hop_us = 0, gbps = 1;
  bool half_duplex = false;
};

// Worker 0 of two whose exchanges take the time that a formula says, at once.
class FakeCommunicator final : public Communicator {
 public:
  FakeCommunicator(const Network& network, int per_node, FakeClock* clock)
      : Communicator(0, 2, per_node, clock), network_(network), clock_(clock) {}

  void Abort(const absl::Status&) override {}

  // Gathers are of doubles, and free.
  absl::StatusOr<std::unique_ptr<Work>> AllReduceSum(absl::Span<const int>, MessageKey,
                                                     Buffer values,
                                                     const ExchangeOptions&) override {
    if (values.type != DType::kF64) Spend(values.bytes(), /*hops=*/2, /*both_ways=*/true);
    return std::make_unique<DoneWork>();
  }

 protected:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions&) override {
    Spend(sends.empty() ? receives[0].into.bytes() : sends[0].data.bytes(), /*hops=*/1,
          !sends.empty() && !receives.empty());
    return std::make_unique<DoneWork>();
  }

 private:
  void Spend(int64_t bytes, int hops, bool both_ways) {
    const double share = network_.half_duplex && both_ways ? 2 : 1;
    clock_->Spend(1e-6 * (network_.collective_us + hops * network_.hop_us) +
                  8e-9 * share * static_cast<double>(bytes) / network_.gbps);
  }

  const Network network_;
  FakeClock* const clock_;
};

ClusterSpec Measured(const Network& network, int per_node) {
  FakeClock clock;
  FakeCommunicator comm(network, per_node, &clock);
  int64_t number = 0;
  std::vector<std::string> lines;
  const auto cluster =
      MeasureNetwork(&comm, &number, [&](const std::string& line) { lines.push_back(line); });
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_GE(lines.size(), 3u);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  return *cluster;
}

TEST(MeasureNetwork, FindsTheFiguresBehindTimesAcrossMachines) {
  const ClusterSpec cluster = Measured({30, 10, 0.5, false}, /*per_node=*/1);
  EXPECT_NEAR(cluster.nic_gbps(), 0.5, 1e-9);
  EXPECT_NEAR(cluster.collective_latency_us(), 30, 1e-5);
  EXPECT_NEAR(cluster.hop_latency_us(), 10, 1e-5);
  EXPECT_FALSE(cluster.half_duplex());
  EXPECT_EQ(cluster.workers_per_node(), 1);
  // One worker per machine shows neither the inside of machines nor sharing of cards.
  EXPECT_FALSE(cluster.has_node_gbps());
  EXPECT_FALSE(cluster.has_communicator_gbps());
  EXPECT_FALSE(cluster.has_nodes());
  ASSERT_EQ(cluster.spread_size(), 3);
  for (const Spread& spread : cluster.spread()) EXPECT_NEAR(spread.relative(), 0, 1e-6);
}

TEST(MeasureNetwork, SeesThatBothDirectionsShareACard) {
  const ClusterSpec cluster = Measured({30, 10, 0.5, true}, /*per_node=*/1);
  EXPECT_TRUE(cluster.half_duplex());
  EXPECT_NEAR(cluster.nic_gbps(), 0.5, 1e-9);  // for both directions together
}

TEST(MeasureNetwork, OneMachineShowsNothingOfCards) {
  const ClusterSpec cluster = Measured({0, 5, 40, false}, /*per_node=*/2);
  EXPECT_NEAR(cluster.node_gbps(), 40, 1e-6);
  EXPECT_NEAR(cluster.hop_latency_us(), 5, 1e-4);
  EXPECT_NEAR(cluster.collective_latency_us(), 0, 1e-4);
  EXPECT_EQ(cluster.nodes(), 1);
  EXPECT_FALSE(cluster.has_nic_gbps());
  EXPECT_FALSE(cluster.has_half_duplex());
}

}  // namespace
}  // namespace starling
