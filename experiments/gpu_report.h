// What `starling doctor` says about GPUs: what was found and, for what is missing, why and what to
// do about it.
#ifndef EXPERIMENTS_GPU_REPORT_H_
#define EXPERIMENTS_GPU_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "core/device/device.h"

namespace starling {

// A file of the process, and what version it is.
struct LibraryFile {
  std::string path;  // empty: not loaded
  std::string version;
};

struct GpuFindings {
  std::string toolkit_here;  // folder of the CUDA toolkit on this machine; empty: none
  std::string built_with;    // "CUDA 13.0"; empty: the program was built without CUDA
  bool has_driver = false;   // NVIDIA's, loaded by the kernel
  std::string no_device;     // why the program can use no card; empty: it can
  std::string description;   // Device::Description
  std::vector<CardLink> links;
  LibraryFile nccl, libtorch, libtorch_cuda;
};

GpuFindings FindGpus();

// Left and right column, a row each.
std::vector<std::pair<std::string, std::string>> GpuReport(const GpuFindings& found);

}  // namespace starling

#endif  // EXPERIMENTS_GPU_REPORT_H_
