#include "models/torch/tensors.h"

#include "glog/logging.h"
#include "models/torch/torch_device.h"

namespace starling {

torch::ScalarType ScalarTypeOf(DType type) {
  switch (type) {
    case DType::kF32:
      return torch::kFloat32;
    case DType::kF64:
      return torch::kFloat64;
    case DType::kF16:
      return torch::kFloat16;
    case DType::kBF16:
      return torch::kBFloat16;
    case DType::kI32:
      return torch::kInt32;
    case DType::kI64:
      return torch::kInt64;
    case DType::kByte:
      return torch::kUInt8;
  }
  return torch::kFloat32;
}

std::optional<DType> DTypeFor(torch::ScalarType type) {
  if (type == torch::kBool) return DType::kByte;
  for (DType candidate : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI32,
                          DType::kI64, DType::kByte}) {
    if (ScalarTypeOf(candidate) == type) return candidate;
  }
  return std::nullopt;
}

torch::Tensor View(Buffer values, const std::vector<int64_t>& shape) {
  const torch::Device device = values.place == Place::kDevice
                                   ? CHECK_NOTNULL(LinkedTorchDevice())->device()
                                   : torch::Device(torch::kCPU);
  return torch::from_blob(values.data, shape,
                          torch::TensorOptions(ScalarTypeOf(values.type)).device(device));
}

Buffer BufferOf(const torch::Tensor& tensor) {
  CHECK(tensor.is_contiguous());
  return {tensor.data_ptr(), tensor.numel(), *DTypeFor(tensor.scalar_type()),
          tensor.is_cpu() ? Place::kHost : Place::kDevice};
}

}  // namespace starling
