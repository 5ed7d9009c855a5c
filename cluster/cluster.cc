#include "cluster/cluster.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cluster/library.h"
#include "core/config/nearest.h"
#include "core/config/resolve.h"
#include "core/config/text.h"
#include "core/run/run_directory.h"
#include "core/status.h"

namespace starling {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

void Add(const std::string& path, const std::string& rest, std::vector<Problem>* problems) {
  problems->push_back({path, absl::StrCat(path, rest)});
}

void CheckSpread(const google::protobuf::RepeatedPtrField<Spread>& spreads,
                 const Descriptor& figures, const std::string& path,
                 std::vector<Problem>* problems) {
  std::vector<std::string> names;
  for (int i = 0; i < figures.field_count(); ++i) {
    const FieldDescriptor& field = *figures.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE && !field.is_repeated()) {
      names.push_back(field.name());
    }
  }
  for (int i = 0; i < spreads.size(); ++i) {
    const std::string& field = spreads[i].field();
    if (std::find(names.begin(), names.end(), field) != names.end()) continue;
    Add(absl::StrCat(path, "spread[", i, "].field"),
        absl::StrCat(" is \"", field,
                     "\", which is no figure; figures: ", absl::StrJoin(names, ", ")),
        problems);
  }
}

void CheckModel(ModelProfile* model, const std::string& path, std::vector<Problem>* problems) {
  if (model->bucket().empty()) {
    Add(absl::StrCat(path, "bucket"), " is missing; what a step exchanges is bucket { mb: 25 }",
        problems);
    return;
  }
  int with_share = 0;
  double mb = 0, shares = 0;
  for (const BucketProfile& bucket : model->bucket()) {
    with_share += bucket.has_backward_share();
    mb += bucket.mb();
    shares += bucket.backward_share();
  }
  if (with_share == 0) {
    for (BucketProfile& bucket : *model->mutable_bucket()) {
      bucket.set_backward_share(mb > 0 ? bucket.mb() / mb : 1.0 / model->bucket_size());
    }
  } else if (with_share < model->bucket_size()) {
    Add(absl::StrCat(path, "bucket"),
        absl::StrCat(": ", with_share, " of ", model->bucket_size(),
                     " have a backward_share; give it to all, or to none: then by size"),
        problems);
  } else if (std::abs(shares - 1) > 1e-6) {
    Add(absl::StrCat(path, "bucket"),
        absl::StrCat(": the backward_shares add up to ", shares, "; it must be 1"), problems);
  }
  CheckSpread(model->spread(), *ModelProfile::descriptor(), path, problems);
}

void CheckJitter(const Jitter& jitter, std::vector<Problem>* problems) {
  double sum = 0;
  for (const double sample : jitter.sample()) sum += sample;
  if (jitter.distribution() == Jitter::EMPIRICAL) {
    if (!(sum > 0)) {
      Add("jitter.sample", ": EMPIRICAL jitter is drawn from it, so it must hold positive factors",
          problems);
    }
  } else if (!jitter.sample().empty()) {
    Add("jitter.sample", " is used by distribution EMPIRICAL only", problems);
  } else if (jitter.distribution() == Jitter::NONE && jitter.relative() > 0) {
    Add("jitter.relative",
        absl::StrCat(" is ", jitter.relative(),
                     ", but jitter.distribution is NONE; say NORMAL, LOGNORMAL or GAMMA"),
        problems);
  }
}

void CheckSites(ClusterSpec* cluster, std::vector<Problem>* problems) {
  std::set<std::string> names;
  int nodes = 0;
  for (int i = 0; i < cluster->site_size(); ++i) {
    nodes += cluster->site(i).nodes();
    if (cluster->site(i).name().empty() || !names.insert(cluster->site(i).name()).second) {
      Add(absl::StrCat("site[", i, "].name"),
          absl::StrCat(" is \"", cluster->site(i).name(), "\"; each site needs a name of its own"),
          problems);
    }
  }
  if (cluster->site_size() > 0) {
    if (cluster->nodes() != 0 && cluster->nodes() != nodes) {
      Add("nodes", absl::StrCat(" is ", cluster->nodes(), ", but the sites have ", nodes),
          problems);
    }
    cluster->set_nodes(nodes);
  }
  std::set<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < cluster->site_link_size(); ++i) {
    const SiteLink& link = cluster->site_link(i);
    const std::string path = absl::StrCat("site_link[", i, "]");
    for (const std::string& name : {link.a(), link.b()}) {
      if (names.count(name) > 0) continue;
      Add(path, absl::StrCat(": no site \"", name, "\"; sites: ", absl::StrJoin(names, ", ")),
          problems);
    }
    if (link.a() == link.b()) {
      Add(path, absl::StrCat(" joins \"", link.a(), "\" to itself; within it: site.gbps"),
          problems);
    } else if (!pairs.insert(std::minmax(link.a(), link.b())).second) {
      Add(path, absl::StrCat(" joins \"", link.a(), "\" and \"", link.b(), "\" again"), problems);
    }
  }
}

absl::StatusOr<ClusterSpec> ParseCluster(absl::string_view text, absl::string_view file) {
  ClusterSpec cluster;
  TextLocations locations;
  RETURN_IF_ERROR(ParseText(text, file, &cluster, &locations));
  RETURN_IF_ERROR(CompleteCluster(&cluster, locations));
  return cluster;
}

}  // namespace

std::vector<std::string> ClusterNames() {
  std::vector<std::string> names;
  for (const auto& [name, text] : ClusterLibrary()) names.push_back(name);
  return names;
}

absl::StatusOr<ClusterSpec> LoadCluster(absl::string_view name_or_file) {
  const std::string canonical = absl::StrReplaceAll(name_or_file, {{"-", "_"}});
  for (const auto& [name, text] : ClusterLibrary()) {
    if (canonical != name) continue;
    ASSIGN_OR_RETURN(ClusterSpec cluster,
                     ParseCluster(text, absl::StrCat("cluster/library/", name, ".textproto")));
    if (cluster.name().empty()) cluster.set_name(name);
    return cluster;
  }
  ClusterSpec cluster;
  TextLocations locations;
  const absl::Status loaded = LoadText(UserPath(name_or_file), &cluster, &locations);
  if (loaded.code() == absl::StatusCode::kNotFound) {
    return absl::NotFoundError(absl::StrCat("no cluster and no file \"", name_or_file, "\"",
                                            DidYouMean(name_or_file, ClusterNames()),
                                            " Clusters: ", absl::StrJoin(ClusterNames(), ", ")));
  }
  RETURN_IF_ERROR(loaded);
  RETURN_IF_ERROR(CompleteCluster(&cluster, locations));
  if (cluster.name().empty()) cluster.set_name(std::string(name_or_file));
  return cluster;
}

absl::StatusOr<ModelProfile> LoadModelProfile(absl::string_view file) {
  ModelProfile model;
  TextLocations locations;
  RETURN_IF_ERROR(LoadText(UserPath(file), &model, &locations));
  RETURN_IF_ERROR(CompleteModelProfile(&model, locations));
  if (model.name().empty()) model.set_name(std::string(file));
  return model;
}

absl::Status CompleteCluster(ClusterSpec* cluster, const TextLocations& locations) {
  std::vector<Problem> problems = Resolve(cluster);
  CheckJitter(cluster->jitter(), &problems);
  CheckSites(cluster, &problems);
  std::set<std::string> models;
  for (int i = 0; i < cluster->model_size(); ++i) {
    const std::string path = absl::StrCat("model[", i, "].");
    CheckModel(cluster->mutable_model(i), path, &problems);
    if (!models.insert(cluster->model(i).name()).second) {
      Add(path + "name",
          absl::StrCat(" is \"", cluster->model(i).name(), "\", as that of a model before it"),
          &problems);
    }
  }
  std::set<int> slow;
  for (int i = 0; i < cluster->slow_worker_size(); ++i) {
    const int worker = cluster->slow_worker(i).worker();
    if (slow.insert(worker).second) continue;
    Add(absl::StrCat("slow_worker[", i, "].worker"), absl::StrCat(" is ", worker, " again"),
        &problems);
  }
  CheckSpread(cluster->spread(), *ClusterSpec::descriptor(), "", &problems);
  return ProblemsStatus(problems, locations);
}

absl::Status CompleteModelProfile(ModelProfile* model, const TextLocations& locations) {
  std::vector<Problem> problems = Resolve(model);
  CheckModel(model, "", &problems);
  return ProblemsStatus(problems, locations);
}

absl::StatusOr<ModelProfile> ModelOf(const ClusterSpec& cluster, absl::string_view name) {
  std::vector<std::string> names;
  for (const ModelProfile& model : cluster.model()) {
    if (name.empty() || model.name() == name) return model;
    names.push_back(model.name());
  }
  return absl::NotFoundError(absl::StrCat(
      "cluster \"", cluster.name(), "\" has no figures for ",
      name.empty() ? std::string("any model") : absl::StrCat("model \"", name, "\""),
      names.empty() ? "" : absl::StrCat("; it has them for: ", absl::StrJoin(names, ", "))));
}

absl::Status CheckWorkersFit(const ClusterSpec& cluster, int workers) {
  const int per_node = cluster.workers_per_node();
  const int needed = (workers + per_node - 1) / per_node;
  if (cluster.nodes() == 0 || needed <= cluster.nodes()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cluster \"", cluster.name(), "\" has ", cluster.nodes(), " machines; ", workers,
                   " workers, ", per_node, " per machine, need ", needed));
}

int SiteOfNode(const ClusterSpec& cluster, int node) {
  int site = 0;
  for (int first = 0; site + 1 < cluster.site_size(); ++site) {
    first += cluster.site(site).nodes();
    if (node < first) break;
  }
  return site;
}

Link LinkBetween(const ClusterSpec& cluster, int node_a, int node_b) {
  Link link;
  link.gbps = cluster.has_communicator_gbps() ? cluster.communicator_gbps() : cluster.nic_gbps();
  if (cluster.site().empty()) return link;
  const Site& a = cluster.site(SiteOfNode(cluster, node_a));
  const Site& b = cluster.site(SiteOfNode(cluster, node_b));
  if (a.name() == b.name()) {
    if (a.has_gbps()) link.gbps = a.gbps();
    link.latency_us = a.latency_us();
    return link;
  }
  for (const SiteLink& between : cluster.site_link()) {
    if ((between.a() == a.name() && between.b() == b.name()) ||
        (between.a() == b.name() && between.b() == a.name())) {
      return {between.gbps(), between.latency_us()};
    }
  }
  return link;
}

double ComputeMs(const ModelProfile& model, int workers) {
  const double scaled_ms = model.scaled_ms() / workers;
  const double larger = std::max(model.fixed_ms(), scaled_ms);
  const double k = model.overlap_exponent();
  if (k <= 1 || larger == 0) return model.fixed_ms() + scaled_ms;
  return larger *
         std::pow(std::pow(model.fixed_ms() / larger, k) + std::pow(scaled_ms / larger, k), 1 / k);
}

double ModelMb(const ModelProfile& model) {
  double mb = 0;
  for (const BucketProfile& bucket : model.bucket()) mb += bucket.mb();
  return mb;
}

}  // namespace starling
