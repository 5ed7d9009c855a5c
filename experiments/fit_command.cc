#include "experiments/fit_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "cluster/cluster.h"
#include "cluster/fit.h"
#include "cluster/step_measurements.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/predict_input.h"
#include "experiments/prepare.h"
#include "gflags/gflags.h"
#include "nlohmann/json.hpp"

DECLARE_bool(json);
DECLARE_double(model_bytes);
DECLARE_string(buckets_mb);
DECLARE_string(model);
DECLARE_string(out);
DEFINE_string(measurements, "", "a CSV file: cluster,gpus,workers_per_node,method,ms");
DEFINE_string(holdout, "", "rows to predict and not to fit, COLUMN:VALUE[,COLUMN:VALUE]: gpus:64");
DEFINE_string(backward_shares, "",
              "of the backward pass, spent until each bucket is complete: 0.2,0.5,0.3");

namespace starling {
namespace {

absl::Status Wrong(const std::string& message) { return absl::InvalidArgumentError(message); }

// The published clusters' model, changed as the flags say.
absl::StatusOr<ModelProfile> Model() {
  ModelProfile model;
  if (FLAGS_model.empty()) {
    ASSIGN_OR_RETURN(const ClusterSpec published, LoadCluster("t4_infiniband"));
    ASSIGN_OR_RETURN(model, ModelOf(published, "transformer_base"));
    model.clear_source();
  } else {
    ASSIGN_OR_RETURN(model, LoadModelProfile(UserPath(FLAGS_model)));
  }
  if (FLAGS_model_bytes < 0) return Wrong("--model_bytes: more than 0");
  if (FLAGS_model_bytes > 0 || !FLAGS_buckets_mb.empty()) {
    const double mb = FLAGS_model_bytes > 0 ? FLAGS_model_bytes / 1e6 : ModelMb(model);
    std::vector<double> sizes;
    if (FLAGS_buckets_mb.empty()) {
      for (const BucketProfile& bucket : model.bucket()) {
        sizes.push_back(bucket.mb() * mb / ModelMb(model));
      }
    } else {
      ASSIGN_OR_RETURN(sizes, BucketsMb(FLAGS_buckets_mb, mb));
    }
    const ModelProfile given = model;
    model.clear_bucket();
    for (size_t b = 0; b < sizes.size(); ++b) {
      BucketProfile* bucket = model.add_bucket();
      if (given.bucket_size() == static_cast<int>(sizes.size())) *bucket = given.bucket(b);
      bucket->set_mb(sizes[b]);
    }
  }
  if (!FLAGS_backward_shares.empty()) {
    const std::vector<std::string> shares = absl::StrSplit(FLAGS_backward_shares, ',');
    if (static_cast<int>(shares.size()) != model.bucket_size()) {
      return Wrong(absl::StrCat("--backward_shares has ", shares.size(), " values, the model ",
                                model.bucket_size(), " buckets; see --buckets_mb"));
    }
    for (size_t b = 0; b < shares.size(); ++b) {
      double share;
      if (!absl::SimpleAtod(shares[b], &share) || !(share >= 0 && share <= 1)) {
        return Wrong(absl::StrCat("--backward_shares: \"", shares[b], "\" is no share of 1"));
      }
      model.mutable_bucket(b)->set_backward_share(share);
    }
  }
  RETURN_IF_ERROR(CompleteModelProfile(&model));
  return model;
}

struct PredictedMeasurement {
  StepMeasurement row;
  FittedStep step;
};

struct FittedCluster {
  ClusterFit fit;
  size_t rows = 0;                         // fitted
  std::vector<PredictedMeasurement> rest;  // held out; without --holdout: the fitted ones
};

absl::StatusOr<std::vector<FittedCluster>> FitAll(const std::vector<StepMeasurement>& rows,
                                                  const ModelProfile& model) {
  std::vector<std::string> names;  // in the file's order
  std::map<std::string, std::vector<StepMeasurement>> fitted, held_out;
  size_t held = 0;
  for (const StepMeasurement& row : rows) {
    if (std::find(names.begin(), names.end(), row.cluster) == names.end()) {
      names.push_back(row.cluster);
    }
    bool matches = false;
    if (!FLAGS_holdout.empty()) {
      const auto answer = Matches(row, FLAGS_holdout);
      if (!answer.ok()) return WithContext(answer.status(), "--holdout");
      matches = *answer;
    }
    held += matches;
    (matches ? held_out : fitted)[row.cluster].push_back(row);
  }
  if (held == 0 && !FLAGS_holdout.empty()) {
    return Wrong(absl::StrCat("--holdout=", FLAGS_holdout, ": no row of ", FLAGS_measurements,
                              " is like that"));
  }
  std::vector<FittedCluster> clusters;
  for (const std::string& name : names) {
    auto fit = ClusterFit::Create(fitted[name], model);
    if (!fit.ok()) return WithContext(fit.status(), absl::StrCat("cluster \"", name, "\""));
    FittedCluster cluster{*std::move(fit), fitted[name].size(), {}};
    for (const StepMeasurement& row : FLAGS_holdout.empty() ? fitted[name] : held_out[name]) {
      cluster.rest.push_back({row, cluster.fit.Predict(row)});
    }
    clusters.push_back(std::move(cluster));
  }
  return clusters;
}

std::string Json(const std::vector<FittedCluster>& clusters) {
  auto fitted = nlohmann::ordered_json::object();
  auto holdout = nlohmann::ordered_json::array();
  for (const FittedCluster& cluster : clusters) {
    const ClusterSpec& spec = cluster.fit.cluster();
    const ModelProfile& model = spec.model(0);
    fitted[spec.name()] = {{"fixed_ms", model.fixed_ms()},
                           {"scaled_ms", model.scaled_ms()},
                           {"overlap_exponent", model.overlap_exponent()},
                           {"update_ms", model.update_ms()},
                           {"node_gbps", spec.node_gbps()},
                           {"communicator_gbps", spec.communicator_gbps()},
                           {"nic_gbps", spec.nic_gbps()},
                           {"jitter", spec.jitter().relative()},
                           {"sgp_ms", cluster.fit.sgp_ms()},
                           {"sgp_overlaps", cluster.fit.sgp_overlaps()},
                           {"rms_error", cluster.fit.rms()}};
    if (FLAGS_holdout.empty()) continue;
    for (const PredictedMeasurement& rest : cluster.rest) {
      holdout.push_back({{"cluster", rest.row.cluster},
                         {"gpus", rest.row.gpus},
                         {"method", rest.row.method},
                         {"measured_ms", rest.row.ms},
                         {"predicted_ms", rest.step.ms},
                         {"low_ms", rest.step.low_ms},
                         {"high_ms", rest.step.high_ms}});
    }
  }
  const nlohmann::ordered_json both = {{"fitted", fitted}, {"holdout", holdout}};
  return both.dump(1) + "\n";
}

std::string Text(const std::vector<FittedCluster>& clusters) {
  std::string text;
  double squares = 0;
  size_t count = 0;
  for (const FittedCluster& cluster : clusters) {
    const ClusterSpec& spec = cluster.fit.cluster();
    const ModelProfile& model = spec.model(0);
    absl::StrAppendFormat(
        &text,
        "%s: %d measurements fitted, root mean square error %.1f %%\n"
        "  one communicator %.0f, card %.0f, inside a machine %.0f Gbit/s; jitter %.1f %%\n"
        "  computing (%.1f^%.1f + (%.0f / n)^%.1f)^(1/%.1f) ms, update %.1f ms",
        spec.name(), cluster.rows, 100 * cluster.fit.rms(), spec.communicator_gbps(),
        spec.nic_gbps(), spec.node_gbps(), 100 * spec.jitter().relative(), model.fixed_ms(),
        model.overlap_exponent(), model.scaled_ms(), model.overlap_exponent(),
        model.overlap_exponent(), model.update_ms());
    if (cluster.fit.sgp_ms() > 0) {
      absl::StrAppendFormat(&text, "\n  SGP adds %.1f ms; its messages %s", cluster.fit.sgp_ms(),
                            cluster.fit.sgp_overlaps() ? "travel while the next step computes"
                                                       : "are waited for after the update");
    }
    absl::StrAppend(&text, "\n\n");
  }
  absl::StrAppendFormat(&text, "%-16s%6s  %-10s%10s%11s%9s   %s\n", "cluster", "gpus", "method",
                        "measured", "predicted", "error", "90 %");
  for (const FittedCluster& cluster : clusters) {
    for (const auto& [row, step] : cluster.rest) {
      const double error = step.ms / row.ms - 1;
      squares += error * error;
      ++count;
      absl::StrAppendFormat(&text, "%-16s%6d  %-10s%10.1f%11.1f%7.1f %%   %.1f-%.1f\n", row.cluster,
                            row.gpus, row.method, row.ms, step.ms, 100 * error, step.low_ms,
                            step.high_ms);
    }
  }
  if (count > 0) {
    absl::StrAppendFormat(&text, "\nroot mean square error of the %d %s: %.1f %%\n", count,
                          FLAGS_holdout.empty() ? "fitted" : "held out",
                          100 * std::sqrt(squares / static_cast<double>(count)));
  }
  return text;
}

// Makes the folder --out and writes a file for each cluster.
absl::Status Write(const std::vector<FittedCluster>& clusters) {
  const std::string folder = UserPath(FLAGS_out);
  if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    return FileError(errno, "make", folder);
  }
  for (const FittedCluster& cluster : clusters) {
    std::string name = cluster.fit.cluster().name();
    for (char& c : name) {
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
    }
    const std::string path = absl::StrCat(folder, "/", name, ".textproto");
    RETURN_IF_ERROR(WriteFileAtomically(path, PrintText(cluster.fit.cluster())));
    std::fprintf(stderr, "%s: for `starling predict --cluster=%s`\n", path.c_str(), path.c_str());
  }
  return absl::OkStatus();
}

absl::Status Fit() {
  if (FLAGS_measurements.empty()) {
    return Wrong(
        "--measurements=FILE.csv is missing, with columns "
        "cluster,gpus,workers_per_node,method,ms");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(UserPath(FLAGS_measurements)));
  ASSIGN_OR_RETURN(const auto rows, ParseMeasurements(text, FLAGS_measurements));
  ASSIGN_OR_RETURN(const ModelProfile model, Model());
  ASSIGN_OR_RETURN(const auto clusters, FitAll(rows, model));
  if (!FLAGS_out.empty()) RETURN_IF_ERROR(Write(clusters));
  std::printf("%s", (FLAGS_json ? Json(clusters) : Text(clusters)).c_str());
  return absl::OkStatus();
}

}  // namespace

const Verb& FitVerb() {
  static const Verb* verb =
      new Verb{"fit",
               "fit --measurements=FILE.csv [--holdout=gpus:64] [--out=FOLDER]",
               "a cluster's figures from measured step times",
               {"measurements", "holdout", "out", "json", "model", "model_bytes", "buckets_mb",
                "backward_shares"}};
  return *verb;
}

int FitCommand(const Arguments& arguments) {
  if (!arguments.words.empty()) {
    return Complain(Wrong(absl::StrCat("fit takes no \"", arguments.words[0],
                                       "\"; the file is --measurements=FILE.csv")));
  }
  const absl::Status status = Fit();
  return status.ok() ? 0 : Complain(status);
}

}  // namespace starling
