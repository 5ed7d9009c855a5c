#include "experiments/predict_input.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/config/fields.h"
#include "core/config/resolve.h"
#include "core/status.h"
#include "experiments/plan.h"
#include "experiments/step_prediction.h"
#include "gflags/gflags.h"

DECLARE_string(config);
DECLARE_int32(workers);
DECLARE_int32(workers_per_node);
DEFINE_string(cluster, "", "a cluster: its name (`starling list cluster`) or a file");
DEFINE_string(model, "", "a model profile of the cluster, by name, or a file with one");
DEFINE_double(compute_ms, 0, "forward and backward pass of one worker, in ms");
DEFINE_double(model_bytes, 0, "size of the model");
DEFINE_string(buckets_mb, "",
              "size at which buckets are cut, in MB (10^6 bytes), or all sizes: 26,26,95");

namespace starling {
namespace {

constexpr double kAssumedComputeMs = 100;
constexpr double kDefaultBucketMb = 26.2144;  // 25 MiB

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

bool IsSet(const char* flag) { return !gflags::GetCommandLineFlagInfoOrDie(flag).is_default; }

// The profile to start from; with an empty list of buckets if only computing is known, and nullopt
// if nothing is.
absl::StatusOr<std::optional<ModelProfile>> Profile(const ClusterSpec& cluster,
                                                    const std::string& model_of_config) {
  if (!FLAGS_model.empty()) {
    auto of_cluster = ModelOf(cluster, FLAGS_model);
    if (of_cluster.ok()) return std::optional<ModelProfile>(*std::move(of_cluster));
    auto of_file = LoadModelProfile(FLAGS_model);
    if (of_file.ok()) return std::optional<ModelProfile>(*std::move(of_file));
    if (of_file.status().code() != absl::StatusCode::kNotFound) return of_file.status();
    return absl::NotFoundError(
        absl::StrCat("--model: ", of_cluster.status().message(), ", and no such file exists"));
  }
  auto found = ModelOf(cluster, model_of_config);
  if (found.ok()) return std::optional<ModelProfile>(*std::move(found));
  return std::optional<ModelProfile>();
}

// Reads the config, if there is one, and says whether it was resolved as a whole.
absl::StatusOr<bool> ReadConfig(const Arguments& arguments, const BuiltInConfig& built_in,
                                Job* job) {
  if (FLAGS_config.empty() && built_in.text.empty()) {
    if (!arguments.set.empty()) return Wrong("--set changes a config: --config=FILE is missing");
    ResolveDefaults(&job->config);
    return false;
  }
  ASSIGN_OR_RETURN(*job, LoadBase(arguments, built_in));
  if (IsSet("workers")) job->config.set_workers(FLAGS_workers);
  if (IsSet("workers_per_node")) job->config.set_workers_per_node(FLAGS_workers_per_node);
  if (job->config.arm_size() > 0) {
    job->notes.push_back("the config's arms are left aside");
    job->config.clear_arm();
  }
  if (IsSet("model_bytes") || IsSet("model") || !job->config.has_model()) {
    RETURN_IF_ERROR(ProblemsStatus(Resolve(&job->config), job->locations));
    return false;
  }
  RETURN_IF_ERROR(ResolveExperiment(job->locations, &job->config, &job->notes));
  return true;
}

absl::Status CheckFlags() {
  if (FLAGS_workers < 1) return Wrong(absl::StrCat("--workers=", FLAGS_workers, ": at least 1"));
  if (IsSet("workers_per_node") && FLAGS_workers_per_node < 1) {
    return Wrong(absl::StrCat("--workers_per_node=", FLAGS_workers_per_node, ": at least 1"));
  }
  if (IsSet("compute_ms") && !(FLAGS_compute_ms > 0)) {
    return Wrong(absl::StrCat("--compute_ms=", FLAGS_compute_ms, ": more than 0"));
  }
  if (IsSet("model_bytes") && !(FLAGS_model_bytes > 0)) {
    return Wrong(absl::StrCat("--model_bytes=", FLAGS_model_bytes, ": more than 0"));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> PredictionFlags() {
  return {"config",      "cluster",    "workers", "workers_per_node", "model", "compute_ms",
          "model_bytes", "buckets_mb", "set"};
}

absl::StatusOr<std::vector<double>> BucketsMb(absl::string_view sizes, double model_mb) {
  std::vector<double> mb;
  if (sizes.empty()) {
    mb.push_back(kDefaultBucketMb);
  } else {
    for (const absl::string_view text : absl::StrSplit(sizes, ',')) {
      double size = 0;
      if (!absl::SimpleAtod(text, &size) || !(size > 0) || std::isinf(size)) {
        return Wrong(absl::StrCat("--buckets_mb=", sizes, ": \"", text,
                                  "\" is no size in MB; say 25 or 26.3,26.3,94.8"));
      }
      mb.push_back(size);
    }
  }
  double sum = 0;
  for (const double size : mb) sum += size;
  if (mb.size() > 1) {
    for (double& size : mb) size *= model_mb > 0 ? model_mb / sum : 1;
    return mb;
  }
  const double size = mb[0];
  if (model_mb <= 0) return mb;
  if (model_mb / size > 1e4) {
    return Wrong(absl::StrFormat("--buckets_mb=%s: %g MB would be more than 10,000 buckets",
                                 std::string(sizes), model_mb));
  }
  mb.clear();
  for (double left = model_mb; left > 1e-9 * model_mb; left -= size) {
    mb.push_back(std::min(left, size));
  }
  return mb;
}

absl::StatusOr<PredictionInput> ReadPredictionInput(const Arguments& arguments,
                                                    const BuiltInConfig& built_in) {
  RETURN_IF_ERROR(CheckFlags());
  PredictionInput input;
  Job job;
  ASSIGN_OR_RETURN(const bool whole, ReadConfig(arguments, built_in, &job));
  const bool has_config = !FLAGS_config.empty() || !built_in.text.empty();
  input.config = job.config;
  if (input.config.algorithm().name().empty()) {
    const auto* algorithm = Experiment::descriptor()->FindFieldByName("algorithm");
    input.config.mutable_algorithm()->set_name(RulesOf(*algorithm).default_());
  }
  input.notes = job.notes;

  const std::string name =
      !FLAGS_cluster.empty() ? FLAGS_cluster : ClusterOfBackend(job.config.backend());
  if (name.empty()) {
    return Wrong(absl::StrCat("which cluster? --cluster=NAME_OR_FILE; there are: ",
                              absl::StrJoin(ClusterNames(), ", ")));
  }
  ASSIGN_OR_RETURN(input.cluster, LoadCluster(name));
  ClusterSpec& cluster = input.cluster;
  if (has_config) {
    input.workers = job.config.workers();
    cluster.set_workers_per_node(job.config.has_workers_per_node() ? job.config.workers_per_node()
                                                                   : input.workers);
  } else {
    const int all = cluster.nodes() * cluster.workers_per_node();
    input.workers = IsSet("workers") || all == 0 ? FLAGS_workers : all;
    if (IsSet("workers_per_node")) cluster.set_workers_per_node(FLAGS_workers_per_node);
    input.config.set_workers(input.workers);
  }
  input.config.set_workers_per_node(cluster.workers_per_node());
  RETURN_IF_ERROR(CheckWorkersFit(cluster, input.workers));

  const std::string own = job.config.model().name();
  ASSIGN_OR_RETURN(std::optional<ModelProfile> profile, Profile(cluster, own));
  bool computing_known = profile.has_value();
  if (computing_known) {
    input.model = *std::move(profile);
  } else {
    input.model.set_name(own.empty() ? "model" : own);
  }
  const double asked_mb = FLAGS_model_bytes / 1e6;
  if (IsSet("model_bytes") || IsSet("buckets_mb")) {
    const double mb = asked_mb > 0 ? asked_mb : ModelMb(input.model);
    std::vector<double> sizes;
    if (FLAGS_buckets_mb.empty() && input.model.bucket_size() > 0) {
      // The profile's cut, to the size asked for.
      for (const BucketProfile& bucket : input.model.bucket()) {
        sizes.push_back(bucket.mb() * mb / ModelMb(input.model));
      }
    } else {
      ASSIGN_OR_RETURN(sizes, BucketsMb(FLAGS_buckets_mb, mb));
    }
    SetBuckets(sizes, &input.model, &input.notes);
  } else if (whole) {
    ASSIGN_OR_RETURN(const auto plan, MakePlan(job.config, job.locations));
    ASSIGN_OR_RETURN(const auto simulated, SimulatedSetting(*plan));
    if (simulated && FLAGS_cluster.empty()) {
      // What the config says that computing takes and the model counts as.
      input.model = simulated->model;
      if (input.model.name().empty()) input.model.set_name(own);
      computing_known = true;
    } else {
      ASSIGN_OR_RETURN(const std::vector<double> sizes, BucketsOf(*plan));
      SetBuckets(sizes, &input.model, &input.notes);
    }
  }
  if (input.model.bucket_size() == 0) {
    return Wrong(absl::StrCat("cluster \"", cluster.name(), "\" has no model profile: say ",
                              "--model_bytes=N, or --model=FILE, or give a config"));
  }
  if (IsSet("compute_ms")) {
    input.model.set_fixed_ms(FLAGS_compute_ms);
    input.model.clear_scaled_ms();
  } else if (!computing_known) {
    input.model.set_fixed_ms(kAssumedComputeMs);
    input.notes.push_back(
        absl::StrFormat("computing is assumed to take %g ms per step; say --compute_ms or --model",
                        kAssumedComputeMs));
  }
  RETURN_IF_ERROR(CompleteModelProfile(&input.model));
  RETURN_IF_ERROR(CompleteCluster(&cluster));
  return input;
}

}  // namespace starling
