#include "experiments/gpu_report.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

using Kind = CardLink::Kind;

// What the report says of `what`, a line per row.
std::string Said(const GpuFindings& found, const std::string& what) {
  std::string text;
  for (const auto& [left, right] : GpuReport(found)) {
    if (left == what) text += right + "\n";
  }
  return text;
}

GpuFindings TwoCards() {
  GpuFindings found;
  found.built_with = "CUDA 13.0";
  found.has_driver = true;
  found.description = "driver for CUDA 13.1, runtime 13.0\ncard 0: one\ncard 1: two";
  found.links = {{0, 1, Kind::kNvLink}};
  found.nccl = {"/usr/lib/libnccl.so.2", "2.28.3"};
  found.libtorch = {"/torch/lib/libtorch_cpu.so", "2.15.0"};
  found.libtorch_cuda = {"/torch/lib/libtorch_cuda.so", ""};
  return found;
}

TEST(GpuReport, ListsWhatIsThere) {
  EXPECT_THAT(GpuReport(TwoCards()),
              ElementsAre(Pair("CUDA", "built with CUDA 13.0"),
                          Pair("", "driver for CUDA 13.1, runtime 13.0"), Pair("", "card 0: one"),
                          Pair("", "card 1: two"),
                          Pair("links", "directly over NVLink: all pairs of cards"),
                          Pair("NCCL", "2.28.3, /usr/lib/libnccl.so.2"),
                          Pair("LibTorch", "2.15.0, /torch/lib/libtorch_cpu.so, with CUDA")));
}

TEST(GpuReport, SaysHowToBuildWithCuda) {
  GpuFindings found;
  EXPECT_EQ(Said(found, "CUDA"),
            "not in this program; build it with --config=cuda, once a CUDA toolkit is in "
            "/usr/local/cuda or CUDA_HOME\n");
  found.toolkit_here = "/opt/cuda";
  EXPECT_EQ(Said(found, "CUDA"),
            "not in this program; build it with --config=cuda: the toolkit is in /opt/cuda\n");
  EXPECT_THAT(Said(found, "NCCL"), HasSubstr("--config=cuda brings backend nccl"));
  EXPECT_THAT(Said(found, "LibTorch"), HasSubstr("no model of this program needs it"));
}

TEST(GpuReport, SaysWhyNoCardCanBeUsed) {
  GpuFindings found = TwoCards();
  found.description = "";
  found.links.clear();
  found.no_device = "looking for cards: CUDA says no CUDA-capable device is detected";
  EXPECT_THAT(Said(found, "cards"), HasSubstr("no CUDA-capable device is detected"));
  EXPECT_THAT(Said(found, "driver"), IsEmpty());
  found.has_driver = false;
  EXPECT_THAT(Said(found, "driver"), HasSubstr("no NVIDIA driver is loaded: install one"));
  EXPECT_THAT(Said(found, "cards"), IsEmpty());
  // Without CUDA nobody has looked for cards.
  found.has_driver = true;
  found.built_with = "";
  EXPECT_THAT(Said(found, "driver"), HasSubstr("nvidia-smi lists the cards"));
}

TEST(GpuReport, NamesPairsOfCardsWhereTheyDiffer) {
  GpuFindings found = TwoCards();
  found.links = {{0, 1, Kind::kNvLink}, {0, 2, Kind::kThroughHost}, {1, 2, Kind::kDirect}};
  EXPECT_THAT(Said(found, "links"),
              HasSubstr("directly over NVLink: 0-1; directly over PCIe: 1-2; through the host"));
  EXPECT_THAT(Said(found, "links"), HasSubstr("forbid it): 0-2\n"));
  found.links.clear();
  EXPECT_EQ(Said(found, "links"), "none: there is one card\n");
}

TEST(GpuReport, SaysWhichLibTorchHasNoCuda) {
  GpuFindings found = TwoCards();
  found.libtorch_cuda = {};
  EXPECT_THAT(Said(found, "LibTorch"),
              HasSubstr("2.15.0, /torch/lib/libtorch_cpu.so, has no CUDA"));
  EXPECT_THAT(Said(found, "LibTorch"), HasSubstr("LIBTORCH_HOME"));
  found.nccl = {};
  EXPECT_THAT(Said(found, "NCCL"), HasSubstr("link backend nccl"));
}

TEST(GpuReport, LooksAtThisMachine) {
  const GpuFindings found = FindGpus();
  EXPECT_THAT(found.built_with, IsEmpty());  // of this test
  EXPECT_THAT(found.no_device, Not(IsEmpty()));
  EXPECT_EQ(GpuReport(found).size(), 4u);
}

}  // namespace
}  // namespace starling
