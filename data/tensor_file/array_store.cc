#include "data/tensor_file/array_store.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status.h"

namespace starling {
namespace {

absl::Status NeedsName(const std::string& path, const std::vector<std::string>& names) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " holds arrays by name; say which one, as FILE:NAME; it has ",
                   absl::StrJoin(names, ", ")));
}

std::vector<std::string> NamesIn(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors()) names.push_back(name);
  return names;
}

}  // namespace

absl::StatusOr<ShapedBuffer> ArrayStore::Get(absl::string_view place) {
  std::string file(place), name;
  for (absl::string_view suffix : {".npz:", ".safetensors:"}) {
    const size_t found = place.find(suffix);
    if (found == absl::string_view::npos) continue;
    const size_t colon = found + suffix.size() - 1;
    file = std::string(place.substr(0, colon));
    name = std::string(place.substr(colon + 1));
    break;
  }
  const bool absolute = absl::StartsWith(file, "/") || directory_.empty();
  const std::string path = absolute ? file : absl::StrCat(directory_, "/", file);
  if (absl::EndsWith(path, ".npz")) return FromNpz(path, name);
  if (absl::EndsWith(path, ".safetensors")) return FromSafetensors(path, name);
  if (!absl::EndsWith(path, ".npy")) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is not FILE.npy, FILE.npz:NAME or FILE.safetensors:NAME, which are what is read"));
  }
  ASSIGN_OR_RETURN(auto mapping, MappedFile::Open(path));
  mappings_.push_back(std::move(mapping));
  return FromNpy(path, mappings_.back()->bytes());
}

absl::StatusOr<ShapedBuffer> ArrayStore::FromNpy(absl::string_view title, absl::string_view bytes) {
  auto array = ParseNpy(bytes);
  RETURN_IF_ERROR(WithContext(array.status(), title));
  char* data = const_cast<char*>(array->elements.data());
  ShapedBuffer result{std::move(array->shape), {data, array->count, array->type, Place::kHost}};
  if (reinterpret_cast<uintptr_t>(data) % static_cast<size_t>(SizeOf(array->type)) != 0) {
    result.values = realigned_.emplace_back(array->count, array->type).buffer();
    if (array->count > 0) std::memcpy(result.values.data, data, array->elements.size());
  }
  return result;
}

absl::StatusOr<ShapedBuffer> ArrayStore::FromNpz(const std::string& path, const std::string& name) {
  auto& archive = archives_[path];
  if (archive == nullptr) {
    ASSIGN_OR_RETURN(archive, NpzFile::Open(path));
  }
  if (name.empty()) return NeedsName(path, archive->names());
  ASSIGN_OR_RETURN(std::string member, archive->Read(name));
  members_.push_back(std::move(member));
  return FromNpy(absl::StrCat(path, ": array \"", name, "\""), members_.back());
}

absl::StatusOr<ShapedBuffer> ArrayStore::FromSafetensors(const std::string& path,
                                                         const std::string& name) {
  auto& file = safetensors_[path];
  if (file == nullptr) {
    ASSIGN_OR_RETURN(file, SafetensorsFile::Open(path));
  }
  if (name.empty()) return NeedsName(path, NamesIn(*file));
  const auto found = file->tensors().find(name);
  if (found == file->tensors().end()) {
    return absl::NotFoundError(absl::StrCat(path, " has no array \"", name, "\"; it has ",
                                            absl::StrJoin(NamesIn(*file), ", ")));
  }
  const DType type = found->second.values.type;
  if (type == DType::kF16 || type == DType::kBF16) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": array \"", name, "\" holds ", DTypeName(type),
                     "; what is read is F32, F64, I32, I64 and U8, to which tensor.to converts"));
  }
  return found->second;
}

}  // namespace starling
