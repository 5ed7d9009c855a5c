// The files of cluster/library, as they became part of the binary (BUILD).
#ifndef CLUSTER_LIBRARY_H_
#define CLUSTER_LIBRARY_H_

#include <utility>
#include <vector>

namespace starling {

// Name (of the file, without ".textproto") and text, sorted by name.
const std::vector<std::pair<const char*, const char*>>& ClusterLibrary();

}  // namespace starling

#endif  // CLUSTER_LIBRARY_H_
