#include "cluster/nccl_tests.h"

#include <cmath>
#include <functional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "core/random/random.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr char kHeader[] =
    "#                                                              out-of-place          "
    "             in-place          \n"
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time "
    "  algbw   busbw #wrong\n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us) "
    " (GB/s)  (GB/s)       \n";

struct Fake {
  std::string test = "all_reduce_perf";
  int nodes = 2;
  int per_node = 8;
  int groups = 1;  // NCCL_TESTS_SPLIT="MOD groups"
  double gbytes_per_s = 12;
  double latency_us = 30;
  bool announced = true;
};

// What nccl-tests would print on a network on which times are exactly
// latency + volume bytes / rate.
std::string Output(const Fake& fake) {
  std::string text = "srun: job 7 has been allocated resources\n";
  if (fake.announced) {
    absl::StrAppend(&text, "# nccl-tests version 2.17.1 nccl-headers=22807 nccl-library=22807\n",
                    "# Collective test starting: ", fake.test, "\n");
  }
  absl::StrAppend(&text,
                  "# nThread 1 nGpus 1 minBytes 8 maxBytes 1073741824 step: 2(factor) warmup "
                  "iters: 1 iters: 20 agg iters: 1 validation: 1 graph: 0\n#\n# Using devices\n");
  const int ranks = fake.nodes * fake.per_node;
  for (int r = 0; r < ranks; ++r) {
    absl::StrAppendFormat(&text, "#  Rank %2d Group %2d Pid %6d on %10s device %2d [%s] %s\n", r,
                          r % fake.groups, 900 + r, absl::StrCat("node-", r / fake.per_node),
                          r % fake.per_node, "0000:0f:00", "NVIDIA Some GPU");
  }
  absl::StrAppend(&text, "node-0:900:917 [0] NCCL INFO Using network IB\n#\n", kHeader);
  const int m = ranks / fake.groups;
  const bool all_reduce = absl::StartsWith(fake.test, "all_reduce");
  const double volume = all_reduce ? 2.0 * (m - 1) / m : 1;
  for (double bytes = 8; bytes <= 1 << 30; bytes *= 2) {
    const double us = fake.latency_us + volume * bytes / (fake.gbytes_per_s * 1e3);
    const double algorithm = bytes / us / 1e3;
    absl::StrAppendFormat(&text, "%12.0f %13.0f %9s %7s %7d", bytes, bytes / 4, "float",
                          all_reduce ? "sum" : "none", -1);
    for (const char* wrong : {"0", "N/A"}) {
      absl::StrAppendFormat(&text, " %8.6g %7.2f %7.2f %6s", us, algorithm, algorithm * volume,
                            wrong);
    }
    absl::StrAppend(&text, "\n");
  }
  return text +
         "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 4.04265 \n#\n"
         "# Collective test concluded: " +
         fake.test + "\n";
}

absl::StatusOr<ClusterSpec> Import(const std::vector<std::string>& outputs) {
  std::vector<NcclRun> runs;
  for (const std::string& output : outputs) {
    ASSIGN_OR_RETURN(const auto parsed, ParseNcclTests(output, "f.txt"));
    runs.insert(runs.end(), parsed.begin(), parsed.end());
  }
  return FitNcclRuns(runs);
}

TEST(NcclTestsTest, FindsTheFiguresItWasMadeFrom) {
  const auto spec = Import(
      {Output({"all_reduce_perf", 1, 8, 1, 130, 20}), Output({"all_reduce_perf", 2, 8, 1, 12, 39}),
       Output({"all_reduce_perf", 8, 8, 1, 12, 135}), Output({"sendrecv_perf", 2, 8, 1, 12, 10}),
       Output({"sendrecv_perf", 2, 8, 8, 3, 10})});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->workers_per_node(), 8);
  EXPECT_EQ(spec->collective(), ClusterSpec::RING);
  EXPECT_NEAR(spec->node_gbps(), 8 * 130, 1);
  EXPECT_NEAR(spec->communicator_gbps(), 8 * 12, 0.1);
  EXPECT_NEAR(spec->nic_gbps(), 8 * 3 * 8, 0.1);  // 8 pairs, 3 GB/s each
  // 9 us and one more per hop: 30 hops, 126 hops, one hop.
  EXPECT_NEAR(spec->collective_latency_us(), 9, 0.1);
  EXPECT_NEAR(spec->hop_latency_us(), 1, 0.01);
  EXPECT_EQ(spec->source(), "nccl-tests: f.txt");
  ASSERT_EQ(spec->spread_size(), 4);
  // Small messages take a little time, too.
  for (const Spread& spread : spec->spread()) EXPECT_LT(spread.relative(), 0.02) << spread.field();
}

TEST(NcclTestsTest, ReadsTheTablesOfOldVersions) {
  const std::string text =
      R"(# nThread 1 nGpus 1 minBytes 8 maxBytes 1000000 step: 2(factor) warmup iters: 5 iters: 20
# Using devices
#   Rank  0 Pid   1320 on      alpha device  0 [0x00] Tesla V100-SXM2-16GB
#   Rank  1 Pid   2066 on       beta device  0 [0x00] Tesla V100-SXM2-16GB
#
#                                               out-of-place                       in-place
#       size         count      type     time   algbw   busbw  error     time   algbw   busbw  error
#        (B)    (elements)               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
           0             0     float    10.00    0.00    0.00  0e+00    10.00    0.00    0.00  0e+00
           8             2     float    10.00    0.00    0.00  0e+00    10.00    0.00    0.00  N/A
     1000000        250000     float    810.0    1.23    1.23  0e+00    810.0    1.23    1.23  5e-07
)";
  const auto spec = Import({text});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_DOUBLE_EQ(spec->nic_gbps(), 10);  // 1 MB in 800 us
  EXPECT_FALSE(spec->has_communicator_gbps());
  EXPECT_FALSE(spec->has_node_gbps());
  EXPECT_DOUBLE_EQ(spec->collective_latency_us(), 10);
}

TEST(NcclTestsTest, SeveralRunsInOneFileAndTestsWithoutTheirNames) {
  Fake across, ring;
  across.announced = ring.announced = false;
  ring.test = "sendrecv_perf";
  ring.per_node = 4;
  const auto runs = ParseNcclTests(Output(across) + Output(ring), "f.txt");
  ASSERT_TRUE(runs.ok()) << runs.status();
  ASSERT_EQ(runs->size(), 2);
  EXPECT_TRUE((*runs)[0].all_reduce);
  EXPECT_EQ((*runs)[0].ranks, 16);
  EXPECT_FALSE((*runs)[1].all_reduce);
  EXPECT_EQ((*runs)[1].ranks, 8);
  EXPECT_EQ((*runs)[1].flows, 1);  // of four ranks, only the last sends to the other machine
  EXPECT_EQ((*runs)[1].rows.size(), 28);
}

TEST(NcclTestsTest, MistakesAreAnsweredInOneSentence) {
  const std::string good = Output({});
  const auto message = [](const std::string& text) {
    return std::string(ParseNcclTests(text, "f.txt").status().message());
  };
  EXPECT_EQ(message(""),
            "f.txt: no output of nccl-tests: there is no table \"# size count type ... time ...\"");
  EXPECT_EQ(message(absl::StrReplaceAll(good, {{"#  Rank", "#  rank"}})),
            "f.txt:4: lines \"#  Rank  0 ... on HOST\" are missing, which say where the ranks ran");
  EXPECT_EQ(message(absl::StrReplaceAll(good, {{"Rank  1 ", "Rank  0 "}})),
            "f.txt:4: rank 0 is listed twice: each process ran alone, because nccl-tests was built "
            "without MPI=1, or the file mixes several runs");
  EXPECT_EQ(message(absl::StrReplaceAll(good, {{"Rank  1 ", "Rank 99 "}})),
            "f.txt:4: rank 1 is not listed");
  EXPECT_EQ(message(absl::StrReplaceAll(good, {{"916 on     node-1", "916 on     node-0"},
                                               {"908 on     node-1", "908 on     node-0"}})),
            "f.txt:4: host node-1 has 7 ranks, host node-0 has 9; run with equally many on each");
  EXPECT_EQ(message(absl::StrReplaceAll(good, {{"all_reduce", "alltoall"}})),
            "f.txt:4: alltoall_perf: only all_reduce_perf and sendrecv_perf are understood");
  EXPECT_EQ(message(good.substr(0, good.find("(GB/s)"))),
            "f.txt:4: the run printed no row with a size and a time");
  EXPECT_TRUE(
      absl::EndsWith(message(absl::StrReplaceAll(good, {{"      0", "      3"}})),
                     ": 3 wrong values: the network or a GPU is faulty, and so are the times"));
  EXPECT_EQ(message(good.substr(0, good.find("    1024 ") + 60)),
            "f.txt:35: the row has 6 columns, the table's header more; is the line whole?");
}

TEST(NcclTestsTest, SaysWhichRunIsMissing) {
  EXPECT_EQ(Import({Output({"all_reduce_perf", 1, 8})}).status().message(),
            "no run has ranks on two machines, so nothing is known of the network; add one: mpirun "
            "-N 1 -np 2 ... all_reduce_perf -b 8 -e 1G -f 2");
  EXPECT_EQ(Import({Output({"all_reduce_perf", 2, 4})}).status().message(),
            "machines have 4 ranks, but no run stays on one machine; add one: all_reduce_perf -b 8 "
            "-e 1G -f 2 -g 4");
  const std::vector<std::string> missing = {"/nonexistent/all_reduce.txt"};
  EXPECT_EQ(ImportNcclTests(missing).status().code(), absl::StatusCode::kNotFound);
}

// Damage: never a crash, and what is still understood has figures that a prediction can use.
TEST(NcclTestsTest, DamagedFilesAreReadOrRefused) {
  const std::vector<std::string> originals = {Output({"all_reduce_perf", 1, 4}),
                                              Output({"sendrecv_perf", 2, 4, 2}), Output({})};
  const std::string alphabet = "#0123456789.-+eEnaN \n\t\xFF";
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  int read = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> texts = originals;
    std::string& text = texts[random.Below(3)];
    for (int64_t edits = 1 + random.Below(4); edits > 0; --edits) {
      const size_t from = random.Below(text.size()), length = 1 + random.Below(40);
      switch (random.Below(3)) {
        case 0:
          text.erase(from, length);
          break;
        case 1:
          text.insert(random.Below(text.size()), text.substr(from, length));
          break;
        case 2:
          text[from] = alphabet[random.Below(alphabet.size())];
          break;
      }
    }
    const auto spec = Import(texts);
    if (!spec.ok()) {
      EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    ++read;
    EXPECT_TRUE(spec->nic_gbps() > 0 && std::isfinite(spec->nic_gbps()));
    EXPECT_TRUE(spec->node_gbps() > 0 && std::isfinite(spec->node_gbps()));
    EXPECT_TRUE(spec->collective_latency_us() >= 0 && std::isfinite(spec->collective_latency_us()));
    EXPECT_TRUE(spec->hop_latency_us() >= 0 && std::isfinite(spec->hop_latency_us()));
  }
  EXPECT_GT(read, 300);
  EXPECT_LT(read, 2900);
}

}  // namespace
}  // namespace starling
