#include "experiments/inspect_commands.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cluster/cluster.h"
#include "core/config/resolve.h"
#include "core/config/text.h"
#include "core/cpu_level.h"
#include "core/ops/cpu.h"
#include "core/plugin_table.h"
#include "core/registry.h"
#include "core/run/build_stamp.h"
#include "core/run/host.h"
#include "core/status.h"
#include "experiments/columns.h"
#include "experiments/experiment.pb.h"
#include "experiments/gpu_report.h"
#include "experiments/launch.h"
#include "experiments/sweep/sweep.pb.h"
#include "gflags/gflags.h"
#include "models/versions.h"
#include "topology/describe.h"

DEFINE_int32(workers, 8, "world size");
DEFINE_int32(workers_per_node, 0, "workers on one machine; default: all");
DEFINE_double(model_mb, 0, "size of the model in MB (10^6 bytes), for traffic in bytes");
DEFINE_bool(json, false, "print JSON");

namespace starling {
namespace {

int Complain(absl::string_view message) {
  std::fprintf(stderr, "starling: %s\n", std::string(message).c_str());
  return 2;
}

// No kind of plug-in, but listed and described among them: clusters are figures, not code.
constexpr char kCluster[] = "cluster";

std::vector<std::string> Kinds() {
  std::vector<std::string> kinds = PluginTable::Global().Kinds();
  kinds.insert(std::lower_bound(kinds.begin(), kinds.end(), kCluster), kCluster);
  return kinds;
}

std::string KindsText() { return absl::StrJoin(Kinds(), ", "); }

bool IsKind(const std::string& kind) {
  return kind == kCluster || !PluginTable::Global().List(kind).empty();
}

void Row(const std::string& left, const std::string& right, int column) {
  std::printf("%s", RowText(left, right, column).c_str());
}

void Row(const std::string& what, const std::string& found) { Row(what, found, 20); }

void ListClusters() {
  for (const std::string& name : ClusterNames()) {
    const auto cluster = LoadCluster(name);
    CHECK_OK(cluster.status());
    Row(name, cluster->source(), 28);
  }
}

void ListKind(const std::string& kind) {
  std::printf("%s\n", kind.c_str());
  if (kind == kCluster) return ListClusters();
  for (const PluginInfo* info : PluginTable::Global().List(kind)) {
    Row(info->facts.name, info->facts.summary, 28);
  }
}

// The fields of a config message: name, type, default, range, meaning.
void PrintFields(const google::protobuf::Descriptor& config) {
  std::printf("config (%s):\n", config.full_name().c_str());
  if (config.field_count() == 0) std::printf("  nothing to configure\n");
  for (int i = 0; i < config.field_count(); ++i) {
    const auto& field = *config.field(i);
    const FieldRules& rules = RulesOf(field);
    std::string type = field.enum_type() != nullptr ? "" : field.cpp_type_name();
    if (const auto* values = field.enum_type()) {
      std::vector<std::string> names;
      for (int v = 0; v < values->value_count(); ++v) names.push_back(values->value(v)->name());
      type = absl::StrJoin(names, "|");
    }
    if (const auto* message = field.message_type()) type = message->name();
    if (field.is_repeated()) absl::StrAppend(&type, " list");
    if (!rules.default_().empty()) absl::StrAppend(&type, ", default ", rules.default_());
    if (!rules.unit().empty()) absl::StrAppend(&type, " ", rules.unit());
    if (rules.has_min() || rules.has_max()) absl::StrAppend(&type, ", ", RangeText(rules));
    Row(field.name(), type, 24);
    if (!rules.help().empty()) Row("", rules.help(), 24);
  }
}

void PrintPlugin(const PluginInfo& info) {
  const PluginFacts& facts = info.facts;
  std::printf("%s %s\n", info.kind.c_str(), facts.name.c_str());
  Row("what", facts.summary);
  if (!facts.source.empty()) Row("source", facts.source);
  if (!facts.aliases.empty()) Row("also called", absl::StrJoin(facts.aliases, ", "));
  if (!facts.limits.empty()) Row("needs", facts.limits);
  std::printf("\n");
  PrintFields(*info.default_config->GetDescriptor());
}

// The figures of a cluster, as its file would say them, and what the fields mean.
absl::Status DescribeCluster(const std::string& name) {
  ASSIGN_OR_RETURN(const ClusterSpec cluster, LoadCluster(name));
  std::printf("%s\n", PrintText(cluster).c_str());
  PrintFields(*ClusterSpec::descriptor());
  return absl::OkStatus();
}

absl::Status DescribeTopology(const PluginInfo& info, const Arguments& arguments) {
  const int per_node = FLAGS_workers_per_node > 0 ? FLAGS_workers_per_node : FLAGS_workers;
  if (FLAGS_workers < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--workers=", FLAGS_workers, ": it must be at least 1"));
  }
  // A PluginRef of its own, so that --set config.k=2 works as in an experiment.
  PluginRef ref;
  ref.set_name(info.facts.name);
  for (const std::string& assignment : arguments.set) {
    std::vector<std::string> notes;
    ASSIGN_OR_RETURN(auto config, UnpackedConfig(info, ref));
    RETURN_IF_ERROR(WithContext(SetField(config.get(), assignment, &notes), "--set"));
    ref.mutable_config()->PackFrom(*config);
  }
  ASSIGN_OR_RETURN(const auto topology,
                   Registry<Topology>::Global().Create(ref, {FLAGS_workers, per_node, /*seed=*/1}));
  if (FLAGS_json) {
    std::printf("%s", DescribeJson(*topology, info.facts.name).c_str());
    return absl::OkStatus();
  }
  std::printf("%s\n", DescribeText(*topology, info.facts, per_node, FLAGS_model_mb * 1e6).c_str());
  PrintFields(*info.default_config->GetDescriptor());
  return absl::OkStatus();
}

// The file that the dynamic loader found for a library already loaded; empty if it is not.
std::string LoadedLibrary(const char* symbol) {
  void* address = dlsym(RTLD_DEFAULT, symbol);
  Dl_info where;
  if (address == nullptr || dladdr(address, &where) == 0) return "";
  char* real = realpath(where.dli_fname, nullptr);
  std::string path = real != nullptr ? real : where.dli_fname;
  std::free(real);
  return path;
}

}  // namespace

const Verb& ListVerb() {
  static const Verb* verb =
      new Verb{"list", "list [KIND]", "print the plug-ins in this binary, by kind", {}};
  return *verb;
}

int ListCommand(const Arguments& arguments) {
  if (arguments.words.size() > 1) return Complain("list takes at most one kind");
  std::vector<std::string> kinds = Kinds();
  if (!arguments.words.empty()) {
    kinds = {arguments.words[0]};
    if (!IsKind(kinds[0])) {
      return Complain(absl::StrCat("no kind \"", kinds[0], "\"; kinds: ", KindsText()));
    }
  }
  for (const std::string& kind : kinds) ListKind(kind);
  return 0;
}

const Verb& DescribeVerb() {
  static const Verb* verb = new Verb{"describe",
                                     "describe KIND NAME | experiment | sweep [flags]",
                                     "print what a plug-in is and takes; draw a topology",
                                     {"workers", "workers_per_node", "model_mb", "json", "set"}};
  return *verb;
}

int DescribeCommand(const Arguments& arguments) {
  using Descriptors = std::vector<const google::protobuf::Descriptor*>;
  const std::map<std::string, Descriptors> definitions = {
      {"experiment",
       {Experiment::descriptor(), Train::descriptor(), Mixing::descriptor(), Arm::descriptor()}},
      {"sweep",
       {Sweep::descriptor(), Axis::descriptor(), SweepArm::descriptor(), Exclusion::descriptor(),
        EarlyStopping::descriptor()}}};
  const auto definition =
      definitions.find(arguments.words.size() == 1 ? arguments.words[0] : std::string());
  if (definition != definitions.end()) {
    for (const auto* message : definition->second) PrintFields(*message);
    return 0;
  }
  if (arguments.words.size() != 2) {
    return Complain(absl::StrCat(
        "usage: starling describe KIND NAME, or describe experiment, or describe sweep; kinds: ",
        KindsText()));
  }
  const std::string& kind = arguments.words[0];
  if (!IsKind(kind)) return Complain(absl::StrCat("no kind \"", kind, "\"; kinds: ", KindsText()));
  if (kind == kCluster) {
    if (FLAGS_json) return Complain("--json describes topologies only");
    const absl::Status described = DescribeCluster(arguments.words[1]);
    return described.ok() ? 0 : Complain(described.message());
  }
  const auto info = PluginTable::Global().Get(kind, arguments.words[1]);
  if (!info.ok()) return Complain(info.status().message());
  if (kind != Topology::kKind) {
    if (FLAGS_json) return Complain("--json describes topologies only");
    PrintPlugin(**info);
    return 0;
  }
  const absl::Status described = DescribeTopology(**info, arguments);
  return described.ok() ? 0 : Complain(described.message());
}

namespace {

// Where the shell would find `program`; empty: nowhere.
std::string InPath(absl::string_view program) {
  const char* path = std::getenv("PATH");
  for (const absl::string_view folder : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    const std::string candidate = absl::StrCat(folder, "/", program);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

}  // namespace

const Verb& DoctorVerb() {
  static const Verb* verb = new Verb{
      "doctor", "doctor", "print what is compiled in and what this machine offers", {"cpu"}};
  return *verb;
}

int DoctorCommand(const Arguments& arguments) {
  if (!arguments.words.empty()) return Complain("doctor takes no words");
  const HostFacts host = ThisHost();
  std::printf("this machine\n");
  Row("system", absl::StrCat(host.os, ", ", host.kernel));
  Row("processor",
      absl::StrCat(host.cpu.model, ", ", host.usable_cores, " of ", host.cores, " cores usable"));
  Row("memory", absl::StrFormat("%.1f GB", static_cast<double>(host.memory_bytes) / 1e9));
  Row("vector level", absl::StrCat(CpuLevel(), " (--cpu); our kernels use ", ops::VectorUnit()));
  std::printf("this binary\n");
  Row("commit", BuildCommit().empty()
                    ? "unknown (not built in a git repository)"
                    : absl::StrCat(BuildCommit(), BuildIsDirty() ? ", dirty" : ""));
  for (const auto& [name, version] : ModelLibraryVersions()) Row(name, version);
  const std::string blas = LoadedLibrary("cblas_sgemm");
  Row("BLAS", blas.empty()                               ? "not loaded: no model needs it"
              : blas.find("openmp") != std::string::npos ? blas
              : blas.find("openblas") != std::string::npos
                  ? blas + " (the openmp variant of OpenBLAS is better: libopenblas0-openmp)"
                  : blas + " (slow; install libopenblas0-openmp)");
  for (const std::string& kind : PluginTable::Global().Kinds()) {
    std::vector<std::string> names;
    for (const PluginInfo* info : PluginTable::Global().List(kind)) {
      names.push_back(info->facts.name);
    }
    Row(kind, absl::StrJoin(names, " "));
  }
  bool complete = true;
  for (const char* backend : {"mpi", "sim", "nccl"}) {
    const absl::Status missing = PluginTable::Global().Get("backend", backend).status();
    if (missing.ok()) continue;
    if (complete) std::printf("not in this binary\n");
    complete = false;
    const std::vector<std::string> words =
        absl::StrSplit(missing.message(), absl::MaxSplits(": it ", 1));
    Row(absl::StrCat("backend ", backend),
        words.size() == 2 ? words[1] : "no such plug-in is linked");
  }
  std::printf("GPU\n");
  for (const auto& [what, said] : GpuReport(FindGpus())) Row(what, said);
  std::printf("launching\n");
  const std::string mpirun = InPath("mpirun"), srun = InPath("srun");
  Row("mpirun", mpirun.empty() ? "not found; --np needs it: apt-get install openmpi-bin" : mpirun);
  Row("srun", srun.empty() ? "not found" : srun + " (srun --mpi=pmix starts workers)");
  const auto& launch = Launch();
  Row("started by", !launch.ok() ? std::string(launch.status().message())
                    : launch->launcher.empty()
                        ? "hand"
                        : absl::StrCat(launch->launcher, ", as process ", launch->rank));
  std::printf("data\n");
  const char* data = std::getenv("STARLING_DATA");
  Row("STARLING_DATA", data == nullptr ? "not set" : data);
  const char* fashion = "/usr/share/datasets/fashion-mnist";
  Row("fashion_mnist",
      access(fashion, R_OK) == 0 ? fashion : "missing; apt-get install dataset-fashion-mnist");
  const std::string pieces = InPath("spm_train");
  Row("sentencepiece", pieces.empty() ? "missing; apt-get install sentencepiece" : pieces);
  return 0;
}

}  // namespace starling
