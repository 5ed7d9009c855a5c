// In place of nccl.cc in programs without CUDA.
#include "core/plugin_table.h"

namespace starling {
namespace {

[[maybe_unused]] const bool noted =
    PluginTable::Global().AddAbsent("backend", "nccl", "needs a program built with --config=cuda");

}  // namespace
}  // namespace starling
