// Writes .npy and .npz files for tests, byte by byte.
#ifndef DATA_NPY_TESTUTIL_H_
#define DATA_NPY_TESTUTIL_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace starling {

// The bytes of a .npy file of version 1.0 with this header, padded as numpy does, and elements.
std::string NpyFile(absl::string_view header, absl::string_view elements);

// The usual header: "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".
std::string NpyHeader(absl::string_view descr, absl::Span<const int64_t> shape);

// The descr of T.
template <typename T>
absl::string_view NpyDescr();
template <>
inline absl::string_view NpyDescr<float>() {
  return "<f4";
}
template <>
inline absl::string_view NpyDescr<double>() {
  return "<f8";
}
template <>
inline absl::string_view NpyDescr<int32_t>() {
  return "<i4";
}
template <>
inline absl::string_view NpyDescr<int64_t>() {
  return "<i8";
}
template <>
inline absl::string_view NpyDescr<uint8_t>() {
  return "|u1";
}

// An array as numpy.save writes it.
template <typename T>
std::string NpyOf(absl::Span<const int64_t> shape, const std::vector<T>& values) {
  return NpyFile(NpyHeader(NpyDescr<T>(), shape),
                 {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

// A zip archive of these (name, bytes), as numpy.savez or, `deflated`, savez_compressed writes it.
std::string ZipOf(const std::vector<std::pair<std::string, std::string>>& members, bool deflated);

}  // namespace starling

#endif  // DATA_NPY_TESTUTIL_H_
