#include "experiments/replay/state_difference.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/ops/ops.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr char kTotals[] = "totals/";  // traffic and time so far, which is no state

uint64_t BitsOf(const Buffer& values, int64_t i) {
  uint64_t bits = 0;
  const int64_t size = SizeOf(values.type);
  std::memcpy(&bits, static_cast<const char*>(values.data) + i * size, size);
  return bits;
}

double NumberOf(const Buffer& values, int64_t i) {
  switch (values.type) {
    case DType::kI32:
      return values.as<int32_t>()[i];
    case DType::kI64:
      return static_cast<double>(values.as<int64_t>()[i]);
    case DType::kByte:
      return values.as<uint8_t>()[i];
    default: {
      double number = 0;
      ops::Convert(values.Slice(i, 1), AsBuffer(absl::MakeSpan(&number, 1)));
      return number;
    }
  }
}

// The shortest text that reads back as the same number of its type.
template <typename T>
std::string Shortest(T value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

std::string ValueText(const Buffer& values, int64_t i) {
  const uint64_t bits = BitsOf(values, i);
  switch (values.type) {
    case DType::kI32:
      return absl::StrCat(values.as<int32_t>()[i]);
    case DType::kI64:
      return absl::StrCat(values.as<int64_t>()[i]);
    case DType::kByte:
      return absl::StrFormat("0x%02x", bits);
    case DType::kF64:
      return absl::StrFormat("%s (0x%016x)", Shortest(NumberOf(values, i)), bits);
    case DType::kF32:
      return absl::StrFormat("%s (0x%08x)", Shortest(static_cast<float>(NumberOf(values, i))),
                             bits);
    default:
      return absl::StrFormat("%g (0x%04x)", NumberOf(values, i), bits);
  }
}

std::vector<int64_t> IndexOf(int64_t i, const std::vector<int64_t>& shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0; i /= shape[axis]) index[axis] = i % shape[axis];
  return index;
}

ElementDifference At(const ShapedBuffer& a, const ShapedBuffer& b, int64_t i) {
  return {IndexOf(i, a.shape), ValueText(a.values, i), ValueText(b.values, i),
          std::abs(NumberOf(a.values, i) - NumberOf(b.values, i))};
}

// Whether a difference is to be called larger. NaN is the largest.
bool IsLarger(double size, double than) {
  return !std::isnan(than) && (std::isnan(size) || size > than);
}

void CompareWorker(int worker, const TensorMap& a, const TensorMap& b,
                   StateDifference* difference) {
  std::set<std::string> names;
  for (const TensorMap* tensors : {&a, &b}) {
    for (const auto& [name, tensor] : *tensors) {
      if (!absl::StartsWith(name, kTotals)) names.insert(name);
    }
  }
  const int64_t before = difference->differing_tensors;
  for (const std::string& name : names) {
    ++difference->tensors;
    const auto in_a = a.find(name), in_b = b.find(name);
    if (in_a == a.end() || in_b == b.end()) {
      ++difference->differing_tensors;
      continue;
    }
    const auto found = Compare(in_a->second, in_b->second);
    if (found.ok() && !found->has_value()) continue;
    ++difference->differing_tensors;
    if (!found.ok()) continue;
    const TensorDifference& tensor = **found;
    if (difference->differing_elements == 0 ||
        IsLarger(tensor.largest.size, difference->largest.size)) {
      difference->largest_worker = worker;
      difference->largest_tensor = name;
      difference->largest = tensor.largest;
    }
    difference->differing_elements += tensor.elements;
  }
  if (difference->differing_tensors > before) ++difference->differing_workers;
}

}  // namespace

absl::StatusOr<std::optional<TensorDifference>> Compare(const ShapedBuffer& a,
                                                        const ShapedBuffer& b) {
  if (a.values.type != b.values.type || a.shape != b.shape) {
    const auto describe = [](const ShapedBuffer& tensor) {
      return absl::StrCat(DTypeName(tensor.values.type), " ", IndexText(tensor.shape));
    };
    return absl::InvalidArgumentError(absl::StrCat(describe(a), " in A, ", describe(b), " in B"));
  }
  if (a.values.count == 0) return std::nullopt;
  if (std::memcmp(a.values.data, b.values.data, a.values.bytes()) == 0) return std::nullopt;
  TensorDifference difference;
  int64_t largest = -1;
  double largest_size = 0;
  for (int64_t i = 0; i < a.values.count; ++i) {
    if (BitsOf(a.values, i) == BitsOf(b.values, i)) continue;
    if (difference.elements++ == 0) difference.first = At(a, b, i);
    const double size = std::abs(NumberOf(a.values, i) - NumberOf(b.values, i));
    if (largest < 0 || IsLarger(size, largest_size)) {
      largest = i;
      largest_size = size;
    }
  }
  difference.largest = At(a, b, largest);
  return difference;
}

absl::StatusOr<StateDifference> CompareStates(const CheckpointDirectory& a,
                                              const CheckpointDirectory& b, int64_t step) {
  ASSIGN_OR_RETURN(const CheckpointManifest manifest_a, a.ReadManifest(step));
  ASSIGN_OR_RETURN(const CheckpointManifest manifest_b, b.ReadManifest(step));
  StateDifference difference;
  for (int worker = 0; worker < std::max(manifest_a.workers, manifest_b.workers); ++worker) {
    const std::string name = WorkerFile(worker);
    const bool in_a = manifest_a.checksums.count(name) > 0;
    const bool in_b = manifest_b.checksums.count(name) > 0;
    if (!in_a && !in_b) continue;  // away in both
    ++difference.workers;
    if (in_a != in_b) {
      ++difference.differing_workers;
      continue;
    }
    ASSIGN_OR_RETURN(const auto file_a, a.OpenFile(manifest_a, name));
    ASSIGN_OR_RETURN(const auto file_b, b.OpenFile(manifest_b, name));
    CompareWorker(worker, file_a->tensors(), file_b->tensors(), &difference);
  }
  return difference;
}

std::string IndexText(const std::vector<int64_t>& index) {
  return absl::StrCat("[", absl::StrJoin(index, ", "), "]");
}

std::string TensorText(const std::string& name) {
  return absl::StrCat("tensor \"", absl::StripPrefix(name, "parameters/"), "\"");
}

}  // namespace starling
