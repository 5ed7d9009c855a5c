#include "data/npy.h"

#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/run/file_io.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";
constexpr absl::string_view kSuffix = ".npy";

absl::Status Broken(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("it is no whole .npy file: ", what));
}

// Takes a Python literal apart, token by token; nothing is taken where the answer is no.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : text_(text) {}

  bool Take(absl::string_view token) {
    text_ = absl::StripLeadingAsciiWhitespace(text_);
    return absl::ConsumePrefix(&text_, token);
  }

  std::optional<std::string> TakeString() {
    for (absl::string_view quote : {"'", "\""}) {
      if (!Take(quote)) continue;
      const size_t end = text_.find(quote);
      if (end == absl::string_view::npos) return std::nullopt;
      const std::string value(text_.substr(0, end));
      text_.remove_prefix(end + 1);
      return value;
    }
    return std::nullopt;
  }

  std::optional<int64_t> TakeNumber() {
    text_ = absl::StripLeadingAsciiWhitespace(text_);
    size_t digits = 0;
    while (digits < text_.size() && absl::ascii_isdigit(text_[digits])) ++digits;
    int64_t value = 0;
    if (!absl::SimpleAtoi(text_.substr(0, digits), &value)) return std::nullopt;
    text_.remove_prefix(digits);
    return value;
  }

  bool AtEnd() { return absl::StripLeadingAsciiWhitespace(text_).empty(); }

 private:
  absl::string_view text_;
};

struct Header {
  std::string descr;  // "<f4"; "[" for a record of several values
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;
};

std::optional<std::vector<int64_t>> TakeShape(Scanner* scanner) {
  if (!scanner->Take("(")) return std::nullopt;
  std::vector<int64_t> shape;
  while (!scanner->Take(")")) {
    const auto extent = scanner->TakeNumber();
    if (!extent.has_value()) return std::nullopt;
    shape.push_back(*extent);
    if (!scanner->Take(",")) {
      if (!scanner->Take(")")) return std::nullopt;
      break;
    }
  }
  return shape;
}

// Nothing, if `text` is not the literal of the format.
std::optional<Header> ParseHeader(absl::string_view text) {
  Scanner scanner(text);
  Header header;
  if (!scanner.Take("{")) return std::nullopt;
  while (!scanner.Take("}")) {
    const auto key = scanner.TakeString();
    if (!key.has_value() || !scanner.Take(":")) return std::nullopt;
    if (*key == "descr" && header.descr.empty()) {
      if (scanner.Take("[")) return Header{"[", false, std::vector<int64_t>()};
      header.descr = scanner.TakeString().value_or("");
    } else if (*key == "fortran_order" && !header.fortran_order.has_value()) {
      if (scanner.Take("True")) header.fortran_order = true;
      if (scanner.Take("False")) header.fortran_order = false;
    } else if (*key == "shape" && !header.shape.has_value()) {
      header.shape = TakeShape(&scanner);
    } else {
      return std::nullopt;
    }
    if (!scanner.Take(",")) {
      if (!scanner.Take("}")) return std::nullopt;
      break;
    }
  }
  const bool complete =
      !header.descr.empty() && header.fortran_order.has_value() && header.shape.has_value();
  return complete && scanner.AtEnd() ? std::optional<Header>(header) : std::nullopt;
}

absl::StatusOr<DType> TypeOf(const std::string& descr) {
  static const auto& types = *new std::map<std::string, DType>{{"<f4", DType::kF32},
                                                               {"<f8", DType::kF64},
                                                               {"<i4", DType::kI32},
                                                               {"<i8", DType::kI64},
                                                               {"|u1", DType::kByte}};
  if (const auto found = types.find(descr); found != types.end()) return found->second;
  if (descr[0] == '>') {
    return absl::InvalidArgumentError(absl::StrCat(
        "its numbers are big-endian (", descr, "); save array.astype(\"<", descr.substr(1), "\")"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "it holds ",
      descr == "[" ? "records of several values" : absl::StrCat("values of type ", descr),
      "; what is read is <f4, <f8, <i4, <i8 and |u1, to which array.astype converts"));
}

}  // namespace

absl::StatusOr<NpyArray> ParseNpy(absl::string_view file) {
  if (!absl::StartsWith(file, kMagic)) {
    return Broken("it does not start with the bytes 93 \"NUMPY\"");
  }
  absl::string_view rest = absl::StripPrefix(file, kMagic);
  const size_t length_bytes = !rest.empty() && rest[0] == 1 ? 2 : 4;
  if (rest.size() < 2 + length_bytes) return Broken("it ends inside its header");
  const int version = static_cast<uint8_t>(rest[0]);
  if (version < 1 || version > 3 || rest[1] != 0) {
    return Broken(absl::StrCat("its format is ", version, ".", static_cast<uint8_t>(rest[1]),
                               "; 1.0, 2.0 and 3.0 are known"));
  }
  rest.remove_prefix(2);
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) {
    length |= static_cast<size_t>(static_cast<uint8_t>(rest[i])) << (8 * i);
  }
  rest.remove_prefix(length_bytes);
  if (rest.size() < length) return Broken("it ends inside its header");
  const auto header = ParseHeader(rest.substr(0, length));
  if (!header.has_value()) {
    return Broken("its header is not {'descr': ..., 'fortran_order': ..., 'shape': ...}");
  }
  rest.remove_prefix(length);

  NpyArray array;
  ASSIGN_OR_RETURN(array.type, TypeOf(header->descr));
  if (*header->fortran_order) {
    return absl::InvalidArgumentError(
        "its elements stand in Fortran's order; save numpy.ascontiguousarray(array)");
  }
  array.shape = *header->shape;
  array.count = 1;
  int64_t bytes = SizeOf(array.type);
  bool absurd = false;
  for (int64_t extent : array.shape) {
    absurd = absurd || __builtin_mul_overflow(bytes, extent, &bytes);
    if (!absurd) array.count *= extent;
  }
  if (absurd || static_cast<uint64_t>(bytes) != rest.size()) {
    return Broken(absl::StrCat("its header says ", header->descr, " [",
                               absl::StrJoin(array.shape, ", "), "], and ", rest.size(),
                               " bytes of elements follow"));
  }
  array.elements = rest;
  return array;
}

absl::StatusOr<std::unique_ptr<NpzFile>> NpzFile::Open(const std::string& path) {
  int code = 0;
  errno = 0;
  if (zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, &code)) {
    return std::unique_ptr<NpzFile>(new NpzFile(path, archive));
  }
  if ((code == ZIP_ER_OPEN || code == ZIP_ER_NOENT || code == ZIP_ER_READ) && errno != 0) {
    return FileError(errno, "read", path);
  }
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  return absl::DataLossError(absl::StrCat(path, " is no whole .npz file: ", reason));
}

NpzFile::~NpzFile() { zip_discard(archive_); }

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive_, 0); ++i) {
    const char* name = zip_get_name(archive_, i, 0);
    if (name != nullptr) names.emplace_back(absl::StripSuffix(name, kSuffix));
  }
  return names;
}

absl::StatusOr<std::string> NpzFile::Read(absl::string_view name) const {
  const zip_int64_t index =
      zip_name_locate(archive_, absl::StrCat(name, kSuffix).c_str(), /*flags=*/0);
  if (index < 0) {
    return absl::NotFoundError(
        absl::StrCat(path_, " has no array \"", name, "\"; it has ", absl::StrJoin(names(), ", ")));
  }
  const auto broken = [&](absl::string_view reason) {
    return absl::DataLossError(
        absl::StrCat(path_, ": array \"", name, "\" cannot be unpacked: ", reason));
  };
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
      zip_fopen_index(archive_, index, /*flags=*/0), zip_fclose);
  if (file == nullptr) return broken(zip_strerror(archive_));
  std::string bytes;
  constexpr size_t kFirst = 1 << 20;
  for (size_t have = 0;;) {
    bytes.resize(std::max(kFirst, 2 * have));
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0) return broken(zip_file_strerror(file.get()));
    have += static_cast<size_t>(got);
    if (got == 0) {
      bytes.resize(have);
      bytes.shrink_to_fit();
      return bytes;
    }
  }
}

}  // namespace starling
