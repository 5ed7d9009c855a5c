#include "experiments/step_prediction.h"

#include <memory>
#include <utility>

#include "core/clock.h"
#include "core/config/resolve.h"
#include "core/plugin_table.h"
#include "core/status.h"
#include "experiments/predict.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

// The field `name` of `config`, if it is set and of this type.
const FieldDescriptor* Find(const Message& config, const char* name,
                            FieldDescriptor::CppType type) {
  const FieldDescriptor* field = config.GetDescriptor()->FindFieldByName(name);
  const bool fits = field != nullptr && !field->is_repeated() && field->cpp_type() == type &&
                    config.GetReflection()->HasField(config, field);
  return fits ? field : nullptr;
}

std::string Text(const Message& config, const char* name) {
  const auto* field = Find(config, name, FieldDescriptor::CPPTYPE_STRING);
  return field == nullptr ? "" : config.GetReflection()->GetString(config, field);
}

double Number(const Message& config, const char* name, double otherwise) {
  const auto& reflection = *config.GetReflection();
  if (const auto* real = Find(config, name, FieldDescriptor::CPPTYPE_DOUBLE)) {
    return reflection.GetDouble(config, real);
  }
  if (const auto* whole = Find(config, name, FieldDescriptor::CPPTYPE_INT64)) {
    return static_cast<double>(reflection.GetInt64(config, whole));
  }
  return otherwise;
}

bool IsTimeOnly(const Message& config) {
  const auto* mode = Find(config, "mode", FieldDescriptor::CPPTYPE_ENUM);
  return mode != nullptr && config.GetReflection()->GetEnum(config, mode)->name() == "TIME_ONLY";
}

absl::StatusOr<std::unique_ptr<Message>> ConfigOf(const PluginRef& backend) {
  ASSIGN_OR_RETURN(const PluginInfo* info, PluginTable::Global().Get("backend", backend.name()));
  return ResolvedConfig(*info, backend);
}

absl::StatusOr<ModelProfile> ProfileOf(const Message& config, const ClusterSpec& cluster) {
  const std::string name = Text(config, "model_profile");
  if (!name.empty()) {
    auto of_cluster = ModelOf(cluster, name);
    return of_cluster.ok() ? of_cluster : LoadModelProfile(name);
  }
  ModelProfile profile;
  profile.set_fixed_ms(Number(config, "compute_ms", 0));
  profile.set_forward_share(Number(config, "forward_share", 1.0 / 3));
  profile.set_update_ms(Number(config, "update_ms", 0));
  return profile;
}

}  // namespace

absl::StatusOr<std::vector<double>> BucketsOf(const Plan& plan) {
  ASSIGN_OR_RETURN(const WorkerParts parts, MakeWorkerParts(plan, 0, &WallClock()));
  std::vector<double> mb;
  for (const Range& bucket : parts.model->layout().buckets) {
    mb.push_back(static_cast<double>(bucket.count * SizeOf(plan.dtype)) / 1e6);
  }
  return mb;
}

void SetBuckets(const std::vector<double>& mb, ModelProfile* model,
                std::vector<std::string>* notes) {
  if (static_cast<int>(mb.size()) == model->bucket_size()) {
    for (int b = 0; b < model->bucket_size(); ++b) model->mutable_bucket(b)->set_mb(mb[b]);
    return;
  }
  if (model->bucket_size() > 0) {
    notes->push_back("buckets differ from the profile's: their backward passes are taken by size");
  }
  model->clear_bucket();
  for (const double size : mb) model->add_bucket()->set_mb(size);
}

std::string ClusterOfBackend(const PluginRef& backend) {
  const auto config = ConfigOf(backend);
  return config.ok() ? Text(**config, "cluster") : "";
}

absl::StatusOr<std::optional<Setting>> SimulatedSetting(const Plan& plan) {
  ASSIGN_OR_RETURN(const auto config, ConfigOf(plan.config.backend()));
  const std::string cluster = Text(*config, "cluster");
  if (cluster.empty()) return std::nullopt;
  Setting setting;
  ASSIGN_OR_RETURN(setting.cluster, LoadCluster(cluster));
  ASSIGN_OR_RETURN(setting.model, ProfileOf(*config, setting.cluster));
  const double mb = Number(*config, "model_bytes", 1e6 * ModelMb(setting.model)) / 1e6;
  if (!IsTimeOnly(*config) || setting.model.bucket().empty()) {
    ASSIGN_OR_RETURN(const std::vector<double> sizes, BucketsOf(plan));
    std::vector<std::string> notes;  // The simulation takes them by size, too.
    SetBuckets(sizes, &setting.model, &notes);
  }
  const double own_mb = ModelMb(setting.model);
  if (mb > 0 && own_mb > 0) {
    for (BucketProfile& bucket : *setting.model.mutable_bucket()) {
      bucket.set_mb(bucket.mb() * mb / own_mb);
    }
  }
  return setting;
}

absl::StatusOr<StepPrediction> PredictStep(const Plan& plan, Setting setting) {
  const Experiment& config = plan.config;
  setting.cluster.set_workers_per_node(config.workers_per_node());
  RETURN_IF_ERROR(CompleteModelProfile(&setting.model));
  RETURN_IF_ERROR(CompleteCluster(&setting.cluster));
  ASSIGN_OR_RETURN(const RuntimeModel runtime,
                   RuntimeModel::Create(setting.cluster, setting.model, config.workers(),
                                        OptionsFor(config.workers(), config.seed())));
  const ExchangePlan exchange = ExchangePlanOf(plan.facts, config.mixing(), BytesFactor(config));
  return runtime.Predict(exchange, plan.topology.get());
}

std::string PredictionJson(absl::string_view cluster, const StepPrediction& prediction) {
  const nlohmann::ordered_json json = {{"cluster", std::string(cluster)},
                                       {"step_ms",
                                        {{"mean", prediction.mean_ms},
                                         {"low", prediction.low_ms},
                                         {"high", prediction.high_ms},
                                         {"p99", prediction.p99_ms}}},
                                       {"regime", RegimeName(prediction.regime)}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace starling
