// Versions of the libraries that models compute with, for run records and `starling doctor`.
#ifndef MODELS_VERSIONS_H_
#define MODELS_VERSIONS_H_

#include <map>
#include <string>

namespace starling {

// Name to version, e.g. "libtorch" to "1.13.1"; empty in a binary without such libraries. Library
// //models/torch:torch_model adds its own when it is linked.
std::map<std::string, std::string> ModelLibraryVersions();

// Adds one; called during static initialisation.
bool AddModelLibraryVersion(const std::string& name, const std::string& version);

}  // namespace starling

#endif  // MODELS_VERSIONS_H_
