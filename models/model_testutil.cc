#include "models/model_testutil.h"

#include <utility>

#include "core/device/deferred_number.h"
#include "core/plugin_table.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "glog/logging.h"
#include "google/protobuf/text_format.h"

namespace starling {
namespace {

constexpr int64_t kOpenLength = 5;

}  // namespace

DataSpec LabelledSpec(std::vector<int64_t> shape, int64_t classes) {
  DataSpec spec;
  spec.fields = {{"image", std::move(shape), DType::kF32}, {"label", {}, DType::kI64}};
  spec.classes = classes;
  return spec;
}

DataSpec TranslationSpec(int64_t vocabulary) {
  DataSpec spec;
  for (const char* field : {"source", "target_in", "target_out"}) {
    spec.fields.push_back({field, {-1}, DType::kI64});
  }
  spec.vocabulary = vocabulary;
  return spec;
}

DataSpec TextSpec(int64_t context, int64_t vocabulary) {
  DataSpec spec;
  for (const char* field : {"tokens", "targets"}) {
    spec.fields.push_back({field, {context}, DType::kI64});
  }
  spec.vocabulary = vocabulary;
  return spec;
}

Batch MadeUpBatch(const DataSpec& data, int64_t size, uint64_t stream) {
  Random random(StreamKey(stream, Purpose::kTest, 0, 0));
  Batch batch;
  batch.size = size;
  for (size_t i = 0; i < data.fields.size(); ++i) {
    const FieldSpec& field = data.fields[i];
    std::vector<int64_t> shape = field.shape;
    for (int64_t& extent : shape) extent = extent < 0 ? kOpenLength : extent;
    const Buffer values = ReserveField(&batch, static_cast<int>(i), size, shape, field.type);
    for (int64_t k = 0; k < values.count; ++k) {
      if (field.type == DType::kI64) {
        values.as<int64_t>()[k] = data.vocabulary > 0 ? 1 + random.Below(data.vocabulary - 1)
                                                      : random.Below(data.classes);
      } else {
        SetElement(values, k, random.Normal());
      }
    }
  }
  return batch;
}

absl::StatusOr<std::unique_ptr<Model>> CreateModel(absl::string_view plugin,
                                                   absl::string_view config,
                                                   const Model::Context& context) {
  ASSIGN_OR_RETURN(const PluginInfo* info, PluginTable::Global().Get(Model::kKind, plugin));
  std::unique_ptr<google::protobuf::Message> message(info->default_config->New());
  CHECK(google::protobuf::TextFormat::ParseFromString(std::string(config), message.get()))
      << config;
  PluginRef ref;
  ref.set_name(std::string(plugin));
  ref.mutable_config()->PackFrom(*message);
  return Registry<Model>::Global().Create(ref, context);
}

Buffer TensorIn(const Buffer& arena, const Layout& layout, absl::string_view name) {
  for (const TensorInfo& tensor : layout.tensors) {
    if (tensor.name == name) return arena.Slice(tensor.offset, tensor.count);
  }
  LOG(FATAL) << "no tensor " << name;
}

std::string Bits(const Buffer& values) {
  return std::string(static_cast<const char*>(values.data), values.bytes());
}

double GetElement(const Buffer& values, int64_t i) {
  return values.type == DType::kF32 ? values.as<float>()[i] : values.as<double>()[i];
}

void SetElement(const Buffer& values, int64_t i, double value) {
  if (values.type == DType::kF32) {
    values.as<float>()[i] = static_cast<float>(value);
  } else {
    values.as<double>()[i] = value;
  }
}

double LossOf(const StepResult& result) {
  DeferredNumber loss;
  CHECK_OK(loss.Take(result.loss));
  const auto value = loss.Read();
  CHECK_OK(value);
  return *value;
}

double Pass(Model* model, const Batch& batch, uint64_t stream) {
  const auto result = model->ForwardBackward(batch, stream, [](int) { return absl::OkStatus(); });
  CHECK(result.ok()) << result.status();
  CHECK_EQ(result->examples, batch.size);
  return LossOf(*result);
}

}  // namespace starling
