#include "core/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/checksum.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "glog/logging.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kMetadata[] = "__metadata__";
constexpr int64_t kPrefixBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // as the format's own library

absl::string_view BytesOf(const Buffer& values) {
  return {static_cast<const char*>(values.data), static_cast<size_t>(values.bytes())};
}

std::optional<DType> DTypeNamed(absl::string_view name) {
  for (DType type : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI32, DType::kI64,
                     DType::kByte}) {
    if (DTypeName(type) == name) return type;
  }
  return std::nullopt;
}

// Wide elements first, so that all lie at multiples of their size.
std::vector<const TensorMap::value_type*> FileOrder(const TensorMap& tensors) {
  std::vector<const TensorMap::value_type*> order;
  for (const auto& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return SizeOf(a->second.values.type) > SizeOf(b->second.values.type);
  });
  return order;
}

absl::StatusOr<std::string> Header(const std::vector<const TensorMap::value_type*>& order,
                                   const Metadata& metadata) {
  Json json = Json::object();
  if (!metadata.empty()) json[kMetadata] = metadata;
  int64_t offset = 0;
  for (const auto* tensor : order) {
    const auto& [name, value] = *tensor;
    if (name == kMetadata) {
      return absl::InvalidArgumentError(absl::StrCat("no tensor can be named ", kMetadata));
    }
    int64_t count = 1;
    for (int64_t extent : value.shape) count *= extent;
    CHECK_EQ(count, value.values.count) << "tensor " << name;
    const int64_t end = offset + value.values.bytes();
    json[name] = {{"dtype", std::string(DTypeName(value.values.type))},
                  {"shape", value.shape},
                  {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const Json::type_error&) {
    return absl::InvalidArgumentError("a tensor's name or a text of the metadata is no UTF-8");
  }
  text.append((kPrefixBytes - text.size() % kPrefixBytes) % kPrefixBytes, ' ');
  return text;
}

// One entry of a header, without its name.
struct Entry {
  DType type = DType::kF32;
  std::vector<int64_t> shape;
  int64_t count = 0;  // elements
  int64_t begin = 0, end = 0;
};

bool IsSize(const Json& json) {
  return json.is_number_unsigned() && json.get<uint64_t>() <= uint64_t{INT64_MAX};
}

bool AreSizes(const Json& json) {
  return json.is_array() && std::all_of(json.begin(), json.end(), IsSize);
}

// `name` is the tensor's, for messages; `data_bytes` are there.
absl::StatusOr<Entry> ParseEntry(const std::string& name, const Json& json, int64_t data_bytes) {
  const auto wrong = [&](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", name, "\" ", what...));
  };
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    return wrong("must have dtype, shape and data_offsets");
  }
  const Json& dtype = json["dtype"];
  const Json& shape = json["shape"];
  const Json& offsets = json["data_offsets"];
  const auto type = dtype.is_string() ? DTypeNamed(dtype.get<std::string>()) : std::nullopt;
  if (!type) {
    return wrong("has dtype ", dtype.dump(-1, ' ', false, Json::error_handler_t::replace),
                 "; known are F32, F64, F16, BF16, I32, I64 and U8");
  }
  if (!AreSizes(shape)) return wrong("has a shape that is no list of sizes");
  if (!AreSizes(offsets) || offsets.size() != 2) {
    return wrong("has data_offsets that are no two numbers");
  }
  Entry entry;
  entry.type = *type;
  entry.shape = shape.get<std::vector<int64_t>>();
  entry.begin = offsets[0].get<int64_t>();
  entry.end = offsets[1].get<int64_t>();
  int64_t bytes = SizeOf(*type);
  bool fits = true;
  for (int64_t extent : entry.shape) fits = fits && !__builtin_mul_overflow(bytes, extent, &bytes);
  if (entry.begin > entry.end || entry.end > data_bytes) {
    return wrong("lies at bytes ", entry.begin, " to ", entry.end, " of the ", data_bytes,
                 " that there are");
  }
  if (!fits || bytes != entry.end - entry.begin) {
    return wrong("has ", entry.end - entry.begin, " bytes, which its shape and dtype contradict");
  }
  entry.count = bytes / SizeOf(*type);
  return entry;
}

// Every byte belongs to one tensor.
absl::Status CheckCoverage(std::vector<std::pair<Entry, std::string>> entries, int64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.first.begin, a.first.end) < std::make_pair(b.first.begin, b.first.end);
  });
  int64_t covered = 0;
  for (const auto& [entry, name] : entries) {
    if (entry.begin != covered) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor \"", name, "\" begins at byte ", entry.begin,
                       entry.begin < covered ? ", inside another one, which ends at "
                                             : ", but the one before it ends at ",
                       covered));
    }
    covered = entry.end;
  }
  if (covered == data_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its tensors end at byte ", covered, " of ", data_bytes));
}

}  // namespace

absl::StatusOr<uint64_t> WriteSafetensors(const std::string& path, const TensorMap& tensors,
                                          const Metadata& metadata) {
  const auto order = FileOrder(tensors);
  const auto header = Header(order, metadata);
  RETURN_IF_ERROR(WithContext(header.status(), path));
  ASSIGN_OR_RETURN(auto file, AtomicFile::Create(path));
  Crc64 crc;
  const auto append = [&](absl::string_view bytes) {
    crc.Add(bytes);
    return file->Append(bytes);
  };
  std::string prefix(kPrefixBytes, '\0');
  const uint64_t length = header->size();
  std::memcpy(prefix.data(), &length, sizeof(length));  // little-endian, as the elements
  RETURN_IF_ERROR(append(prefix));
  RETURN_IF_ERROR(append(*header));
  for (const auto* tensor : order) RETURN_IF_ERROR(append(BytesOf(tensor->second.values)));
  RETURN_IF_ERROR(file->Commit());
  return crc.value();
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError(errno, "read", path);
  struct stat facts;
  int error = fstat(descriptor, &facts) == 0 ? 0 : errno;
  if (error == 0 && S_ISDIR(facts.st_mode)) error = EISDIR;
  void* bytes = nullptr;
  if (error == 0 && facts.st_size > 0) {
    bytes = mmap(nullptr, facts.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) error = errno;
  }
  close(descriptor);
  if (error != 0) return FileError(error, "read", path);
  std::unique_ptr<SafetensorsFile> file(
      new SafetensorsFile({static_cast<const char*>(bytes), static_cast<size_t>(facts.st_size)}));
  RETURN_IF_ERROR(WithContext(file->Parse(), absl::StrCat(path, " is no whole safetensors file")));
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

absl::Status SafetensorsFile::Parse() {
  const auto wrong = [](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(what...));
  };
  const auto size = static_cast<int64_t>(bytes_.size());
  if (size < kPrefixBytes) return wrong("it has ", size, " bytes");
  uint64_t length = 0;
  std::memcpy(&length, bytes_.data(), sizeof(length));
  if (length > uint64_t{kMaxHeaderBytes}) {
    return wrong("it begins with no length of a header, or one of ", length, " bytes");
  }
  const int64_t data_begin = kPrefixBytes + static_cast<int64_t>(length);
  if (data_begin > size) {
    return wrong("its header has ", length, " bytes, but the file ends after ",
                 size - kPrefixBytes);
  }
  const absl::string_view header = bytes_.substr(kPrefixBytes, length);
  std::set<std::string> names;
  std::string twice;
  const Json json = Json::parse(
      header.begin(), header.end(),
      [&](int depth, Json::parse_event_t event, Json& key) {
        if (event == Json::parse_event_t::key && depth == 1) {
          const std::string name = key.get<std::string>();
          if (!names.insert(name).second) twice = name;
        }
        return true;
      },
      /*allow_exceptions=*/false);
  if (header.empty() || header[0] != '{' || json.is_discarded()) {
    return wrong("its header is no JSON object");
  }
  if (!twice.empty()) return wrong("tensor \"", twice, "\" appears twice");

  const int64_t data_bytes = size - data_begin;
  std::vector<std::pair<Entry, std::string>> entries;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadata) {
      if (!value.is_object()) return wrong(kMetadata, " is no object");
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) return wrong(kMetadata, " holds \"", key, "\", which is no text");
        metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    ASSIGN_OR_RETURN(Entry entry, ParseEntry(name, value, data_bytes));
    entries.emplace_back(std::move(entry), name);
  }
  RETURN_IF_ERROR(CheckCoverage(entries, data_bytes));
  for (auto& [entry, name] : entries) {
    tensors_[name] =
        ValuesAt(data_begin + entry.begin, std::move(entry.shape), entry.type, entry.count);
  }
  return absl::OkStatus();
}

ShapedBuffer SafetensorsFile::ValuesAt(int64_t offset, std::vector<int64_t> shape, DType type,
                                       int64_t count) {
  char* data = const_cast<char*>(bytes_.data()) + offset;
  Buffer values{data, count, type, Place::kHost};
  if (reinterpret_cast<uintptr_t>(data) % SizeOf(type) != 0) {
    values = realigned_.emplace_back(count, type).buffer();
    if (count > 0) std::memcpy(values.data, data, values.bytes());
  }
  return {std::move(shape), values};
}

uint64_t SafetensorsFile::checksum() const {
  Crc64 crc;
  crc.Add(bytes_);
  return crc.value();
}

}  // namespace starling
