#include "models/versions.h"

namespace starling {
namespace {

std::map<std::string, std::string>& Versions() {
  static auto* versions = new std::map<std::string, std::string>;
  return *versions;
}

}  // namespace

std::map<std::string, std::string> ModelLibraryVersions() { return Versions(); }

bool AddModelLibraryVersion(const std::string& name, const std::string& version) {
  Versions()[name] = version;
  return true;
}

}  // namespace starling
