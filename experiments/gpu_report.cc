#include "experiments/gpu_report.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "models/versions.h"

namespace starling {
namespace {

// The file of the process whose name starts with `name`; empty: none.
std::string LoadedFile(absl::string_view name) {
  struct Search {
    absl::string_view name;
    std::string path;
  } search{name, ""};
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* data) {
        auto* const search = static_cast<Search*>(data);
        const absl::string_view path = object->dlpi_name;
        if (!absl::StartsWith(path.substr(path.rfind('/') + 1), search->name)) return 0;
        search->path = std::string(path);
        return 1;
      },
      &search);
  return search.path;
}

std::string NcclVersion() {
  using GetVersion = int (*)(int*);
  const auto get = reinterpret_cast<GetVersion>(dlsym(RTLD_DEFAULT, "ncclGetVersion"));
  int version = 0;
  if (get == nullptr || get(&version) != 0) return "";
  return absl::StrCat(version / 10000, ".", version % 10000 / 100, ".", version % 100);
}

std::string ToolkitHere() {
  const char* home = std::getenv("CUDA_HOME");
  const std::string folder = home == nullptr ? "/usr/local/cuda" : home;
  return access((folder + "/bin/nvcc").c_str(), X_OK) == 0 ? folder : "";
}

// "0-1 0-2": the pairs of this kind.
std::string PairsOf(const std::vector<CardLink>& links, CardLink::Kind kind) {
  std::vector<std::string> pairs;
  for (const CardLink& link : links) {
    if (link.kind == kind) pairs.push_back(absl::StrCat(link.a, "-", link.b));
  }
  return pairs.size() == links.size() ? "all pairs of cards" : absl::StrJoin(pairs, " ");
}

std::string LinksText(const std::vector<CardLink>& links) {
  if (links.empty()) return "none: there is one card";
  std::vector<std::string> parts;
  const auto add = [&](CardLink::Kind kind, absl::string_view text) {
    const std::string pairs = PairsOf(links, kind);
    if (!pairs.empty()) parts.push_back(absl::StrCat(text, ": ", pairs));
  };
  add(CardLink::Kind::kNvLink, "directly over NVLink");
  add(CardLink::Kind::kDirect, "directly over PCIe");
  add(CardLink::Kind::kThroughHost,
      "through the host's memory, because the machine lets no card read the other (virtual "
      "machines and IOMMUs often forbid it)");
  return absl::StrJoin(parts, "; ");
}

std::string NcclText(const GpuFindings& found) {
  if (!found.nccl.path.empty()) return absl::StrCat(found.nccl.version, ", ", found.nccl.path);
  if (found.built_with.empty()) {
    return "not in this program, which was built without CUDA; --config=cuda brings backend nccl";
  }
  return "not in this program, so a run has one process and one card; link backend nccl";
}

std::string TorchText(const GpuFindings& found) {
  if (found.libtorch.path.empty()) return "not loaded: no model of this program needs it";
  const std::string which = absl::StrCat(found.libtorch.version, ", ", found.libtorch.path);
  if (found.libtorch_cuda.path.empty()) {
    return absl::StrCat(which, ", has no CUDA, so its models compute on the processor; build with ",
                        "--config=cuda and LIBTORCH_HOME naming one that has, e.g. pip's torch");
  }
  return absl::StrCat(which, ", with CUDA");
}

}  // namespace

GpuFindings FindGpus() {
  GpuFindings found;
  found.toolkit_here = ToolkitHere();
  found.built_with = std::string(DeviceLibrary());
  found.has_driver = access("/proc/driver/nvidia/version", R_OK) == 0;
  found.no_device = std::string(DeviceStatus().message());
  if (const Device* device = LinkedDevice()) {
    found.description = device->Description();
    found.links = device->Links();
  }
  found.nccl = {LoadedFile("libnccl.so"), NcclVersion()};
  found.libtorch = {LoadedFile("libtorch_cpu.so"), ModelLibraryVersions()["libtorch"]};
  found.libtorch_cuda = {LoadedFile("libtorch_cuda.so"), ""};
  return found;
}

std::vector<std::pair<std::string, std::string>> GpuReport(const GpuFindings& found) {
  std::vector<std::pair<std::string, std::string>> rows;
  if (found.built_with.empty()) {
    rows.emplace_back("CUDA",
                      absl::StrCat("not in this program; build it with --config=cuda",
                                   found.toolkit_here.empty()
                                       ? ", once a CUDA toolkit is in /usr/local/cuda or CUDA_HOME"
                                       : absl::StrCat(": the toolkit is in ", found.toolkit_here)));
  } else {
    rows.emplace_back("CUDA", absl::StrCat("built with ", found.built_with));
  }
  if (!found.description.empty()) {
    for (absl::string_view line : absl::StrSplit(found.description, '\n')) {
      rows.emplace_back("", std::string(line));
    }
    rows.emplace_back("links", LinksText(found.links));
  } else if (!found.has_driver) {
    rows.emplace_back("driver",
                      "no NVIDIA driver is loaded: install one, or give the container the cards of "
                      "its host (docker run --gpus=all)");
  } else if (!found.built_with.empty()) {
    rows.emplace_back("cards", absl::StrCat("none can be used (", found.no_device,
                                            "); see what nvidia-smi says, and that "
                                            "CUDA_VISIBLE_DEVICES hides none"));
  } else {
    rows.emplace_back("driver", "loaded; nvidia-smi lists the cards");
  }
  rows.emplace_back("NCCL", NcclText(found));
  rows.emplace_back("LibTorch", TorchText(found));
  return rows;
}

}  // namespace starling
