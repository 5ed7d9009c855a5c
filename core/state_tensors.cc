#include "core/state_tensors.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status.h"

namespace starling {
namespace {

bool IsInLayout(const Layout* layout, const Buffer& state) {
  return layout != nullptr && state.count == layout->size;
}

std::string Describe(DType type, absl::Span<const int64_t> shape) {
  return absl::StrCat(DTypeName(type), " [", absl::StrJoin(shape, ", "), "]");
}

}  // namespace

void TensorSaver::Keep(absl::string_view name, Buffer state) {
  std::string& copy = copies_.emplace_back(static_cast<const char*>(state.data), state.bytes());
  state.data = copy.data();
  tensors_[std::string(name)] = {{state.count}, state};
}

absl::Status TensorSaver::Visit(absl::string_view name, Buffer state) {
  if (!IsInLayout(layout_, state)) {
    Keep(name, state);
    return absl::OkStatus();
  }
  for (const TensorInfo& tensor : layout_->tensors) {
    tensors_[absl::StrCat(name, "/", tensor.name)] = {tensor.shape,
                                                      state.Slice(tensor.offset, tensor.count)};
  }
  return absl::OkStatus();
}

absl::Status TensorSaver::VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                                      Buffer state) {
  tensors_[std::string(name)] = {{shape.begin(), shape.end()}, state};
  return absl::OkStatus();
}

absl::Status TensorSaver::VisitBytes(absl::string_view name, std::string* state) {
  Keep(name, {state->data(), static_cast<int64_t>(state->size()), DType::kByte});
  return absl::OkStatus();
}

absl::Status TensorLoader::Load(const std::string& name, absl::Span<const int64_t> shape,
                                Buffer state) {
  const auto found = tensors_->find(name);
  if (found == tensors_->end()) {
    return absl::DataLossError(absl::StrCat("there is no tensor \"", name, "\""));
  }
  const ShapedBuffer& saved = found->second;
  if (saved.values.type != state.type || saved.shape != shape) {
    return absl::DataLossError(absl::StrCat("tensor \"", name, "\" is ",
                                            Describe(saved.values.type, saved.shape), ", not ",
                                            Describe(state.type, shape)));
  }
  used_.insert(name);
  if (state.count > 0) std::memcpy(state.data, saved.values.data, state.bytes());
  return absl::OkStatus();
}

absl::Status TensorLoader::Visit(absl::string_view name, Buffer state) {
  if (!IsInLayout(layout_, state)) return Load(std::string(name), {state.count}, state);
  for (const TensorInfo& tensor : layout_->tensors) {
    RETURN_IF_ERROR(Load(absl::StrCat(name, "/", tensor.name), tensor.shape,
                         state.Slice(tensor.offset, tensor.count)));
  }
  return absl::OkStatus();
}

absl::Status TensorLoader::VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                                       Buffer state) {
  return Load(std::string(name), shape, state);
}

absl::Status TensorLoader::VisitBytes(absl::string_view name, std::string* state) {
  const auto found = tensors_->find(std::string(name));
  if (found != tensors_->end() && found->second.values.type == DType::kByte) {
    state->resize(found->second.values.count);
  }
  const auto size = static_cast<int64_t>(state->size());
  return Load(std::string(name), {size}, {state->data(), size, DType::kByte});
}

absl::Status TensorLoader::CheckAllUsed() const {
  for (const auto& [name, tensor] : *tensors_) {
    if (used_.count(name) == 0) {
      return absl::DataLossError(absl::StrCat("nothing asks for tensor \"", name, "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace starling
