// Stochastic gradient push: decentralized training over directed weights whose columns sum to one,
// P_ij being the share of what worker j has that it gives to i. Parameters and a weight w, 1 at the
// start, are pushed alike; their quotient z is what the model reads.
//
//   u_i <- u_i - lr d_i(z_i)                      any optimizer, on the numerator u
//   u_i <- sum_j P_ij u_j,  w_i <- sum_j P_ij w_j
//   z_i  = u_i / w_i
//
// Assran, Loizou, Ballas, Rabbat, "Stochastic gradient push for distributed deep learning", ICML
// 2019, algorithm 1. Overlap SGP ("osgp", algorithm 2 there) keeps its own share at once and adds
// what others sent tau mixing steps later, so that messages have that long to travel; w makes up
// for what is under way:
//
//   u_i <- P_ii(t) u_i(t) + sum_{j != i} P_ij(t - tau) u_j(t - tau),  w_i likewise
//
// Exactly tau, not at most: bits do not depend on timing. tau = 0 is SGP.
//
// Where the rows sum to one too and tau is 0, w stays 1: it is neither kept nor sent, and z = u.
//
// When workers leave or return, push-sum begins anew from every worker's z, with u = z and w = 1,
// so that the weights sum to the number of workers; what is under way is dropped.
//
// Traffic: the mixer's, one vector per step that mixes, and with it w, one F64; with tau > 0 groups
// are sent along edges, (m - 1) messages out of each of m members. State: u and w, and with tau > 0
// what has been sent and not been added.
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/device/arena.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm_base.h"
#include "optim/mixer.h"
#include "optim/sgp/sgp.pb.h"
#include "topology/topology.h"

namespace starling {
namespace {

// The rounds of `topology` as one worker sees them, groups as edges: a group's sum holds what a
// worker keeps, which must not wait for what it receives.
class EdgesOfWorker final : public Topology {
 public:
  EdgesOfWorker(const Topology* topology, int worker) : topology_(topology), worker_(worker) {}

  void set_topology(const Topology* topology) { topology_ = topology; }

  int size() const override { return topology_->size(); }
  TopologyFacts facts() const override { return topology_->facts(); }
  MixingRound Round(int64_t round) const override {
    const MixingRound whole = topology_->Round(round);
    if (whole.group(worker_).empty()) return whole;
    std::vector<Edge> edges;
    for (const Edge& edge : whole.in(worker_)) edges.push_back(edge);
    for (const Edge& edge : whole.out(worker_)) {
      if (edge.to != worker_) edges.push_back(edge);
    }
    return MixingRound::FromEdges(size(), edges);
  }

 private:
  const Topology* topology_;
  int worker_;
};

class PushSum final : public AlgorithmBase {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const SgpConfig&, const Context&) {
    return std::make_unique<PushSum>(0);
  }
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const OsgpConfig& config,
                                                           const Context&) {
    return std::make_unique<PushSum>(config.tau());
  }

  explicit PushSum(int tau) : tau_(tau) {}

  AlgorithmFacts facts() const override {
    AlgorithmFacts facts;
    facts.launch = AlgorithmFacts::Launch::kBucketReady;
    facts.needed = AlgorithmFacts::Needed::kStepEnd;
    facts.needed_steps_later = tau_;
    facts.groups_as_edges = tau_ > 0;
    facts.directed_ok = true;
    facts.takes_membership = true;
    return facts;
  }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    weighted_ = tau_ > 0 || !worker.topology->facts().rows_sum_to_one;
    Worker mixing = worker;
    if (tau_ > 0) {
      edges_ = std::make_unique<EdgesOfWorker>(worker.topology, worker.id);
      mixing.topology = edges_.get();
    }
    ASSIGN_OR_RETURN(mixer_, Mixer::Create(mixing, /*stream=*/1, x.type, /*vectors=*/1, tau_ + 1));
    if (weighted_) {
      ASSIGN_OR_RETURN(numerator_, MakeArena(x.count, x.type, x.place));
      ops::Copy(x, numerator_.buffer());
      weight_ = 1;
      mixing.layout = &one_number_;
      mixing.mixing.precision.reset();  // 8 bytes
      mixing.place = w().place;
      ASSIGN_OR_RETURN(weight_mixer_,
                       Mixer::Create(mixing, /*stream=*/2, DType::kF64, /*vectors=*/1, tau_ + 1));
    }
    return AlgorithmBase::Start(worker, x, g);
  }

  absl::Status OnBucketReady(const StepInfo& info, int b) override {
    UpdateArgs update = UpdateOf(info, b);
    update.x = u(b);
    if (info.mixes) update.copy_to = mixer_->outgoing(b);
    RETURN_IF_ERROR(worker().optimizer->Update(update));
    if (!info.mixes) return absl::OkStatus();
    if (weighted_ && b == 0) {
      ops::Copy(w(), weight_mixer_->outgoing(0));
      RETURN_IF_ERROR(Push(weight_mixer_.get(), info.round, 0, w()));
    }
    return Push(mixer_.get(), info.round, b, u(b));
  }

  absl::Status OnStepEnd(const StepInfo& info) override {
    if (weighted_ && info.mixes) RETURN_IF_ERROR(Collect(weight_mixer_.get(), 0, w()));
    for (int b = 0; b < buckets(); ++b) {
      if (info.mixes) RETURN_IF_ERROR(Collect(mixer_.get(), b, u(b)));
      if (weighted_) ops::WeightedSum({{1 / weight_, u(b)}}, x(b));
    }
    return absl::OkStatus();
  }

  absl::Status Quiesce() override {
    RETURN_IF_ERROR(mixer_->Quiesce());
    return weighted_ ? weight_mixer_->Quiesce() : absl::OkStatus();
  }

  absl::Status OnMembership(const Membership& membership) override {
    if (weighted_) {
      for (int b = 0; b < buckets(); ++b) ops::Copy(x(b), u(b));
      weight_ = 1;
    }
    const Topology* topology = membership.topology;
    if (edges_ != nullptr) {
      edges_->set_topology(topology);
      topology = edges_.get();
    }
    mixer_->SetTopology(topology);
    if (weighted_) weight_mixer_->SetTopology(topology);
    return absl::OkStatus();
  }

  // What is under way belongs to those who will receive it.
  absl::Status Estimate(Buffer numerator, double* weight) override {
    if (!weighted_) return AlgorithmBase::Estimate(numerator, weight);
    ops::Copy(numerator_.buffer(), numerator);
    for (int b = 0; b < buckets(); ++b) AddUnderWay(mixer_.get(), b, Part(numerator, b));
    *weight = weight_;
    AddUnderWay(weight_mixer_.get(), 0, AsBuffer(absl::MakeSpan(weight, 1)));
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor* visitor) override {
    if (!weighted_) return absl::OkStatus();
    RETURN_IF_ERROR(visitor->Visit("numerator", numerator_.buffer()));
    RETURN_IF_ERROR(visitor->Visit("weight", w()));
    if (tau_ == 0) return absl::OkStatus();
    RETURN_IF_ERROR(mixer_->VisitState(visitor, "numerators_under_way"));
    return weight_mixer_->VisitState(visitor, "weights_under_way");
  }

 private:
  Buffer u(int bucket) const { return weighted_ ? Part(numerator_.buffer(), bucket) : x(bucket); }
  // On the host; where parameters have no numbers, the weight stays 1.
  Buffer w() {
    const bool numbers = numerator_.buffer().place != Place::kVirtual;
    return {&weight_, 1, DType::kF64, numbers ? Place::kHost : Place::kVirtual};
  }

  // The share of its own that the worker keeps.
  double Kept(int64_t round) const {
    const double gamma = worker().mixing.gamma;
    const MixingRound p = edges_->Round(round);
    for (const Edge& edge : p.in(worker().id)) {
      if (edge.from == worker().id) return gamma * edge.weight + (1 - gamma);
    }
    return 1 - gamma;
  }

  // Sends `values`, which are in `outgoing` already. What is given away is gone at once, unless it
  // is exchanged for the others' in this very step.
  absl::Status Push(Mixer* mixer, int64_t round, int bucket, Buffer values) {
    const Buffer sent = mixer->outgoing(bucket);
    RETURN_IF_ERROR(mixer->Begin(round, bucket, {sent}));
    if (tau_ > 0) ops::WeightedSum({{1, values}, {Kept(round) - 1, sent}}, values);
    return absl::OkStatus();
  }

  // Adds what was sent tau mixing steps ago.
  absl::Status Collect(Mixer* mixer, int bucket, Buffer values) {
    if (tau_ == 0) return mixer->Mix(bucket, values);
    if (mixer->in_flight(bucket) <= tau_) return absl::OkStatus();
    RETURN_IF_ERROR(mixer->End(bucket));
    terms_.assign(1, {1, values});
    AddOthers(mixer->sources(bucket, 0, Buffer()));
    ops::WeightedSum(terms_, values);
    return absl::OkStatus();
  }

  void AddUnderWay(Mixer* mixer, int bucket, Buffer values) {
    terms_.assign(1, {1, values});
    for (int age = 0; age < mixer->in_flight(bucket); ++age) {
      AddOthers(mixer->sources_in_flight(age, bucket, 0, Buffer()));
    }
    ops::WeightedSum(terms_, values);
  }

  // `sources` are of a mixed vector whose `self` was empty.
  void AddOthers(absl::Span<const Source> sources) {
    for (const Source& source : sources) {
      if (source.values.count > 0) terms_.push_back(source);
    }
  }

  const int tau_;
  bool weighted_ = false;  // w is not always 1
  std::unique_ptr<EdgesOfWorker> edges_;
  std::unique_ptr<Mixer> mixer_, weight_mixer_;
  const Layout one_number_ = {1, {}, {{0, 1}}};
  Arena numerator_;  // empty unless weighted: x is its own numerator
  double weight_ = 1;
  std::vector<Source> terms_;
};

using Sgp = PushSum;
using Osgp = PushSum;

STARLING_REGISTER_PLUGIN(Algorithm, Sgp, SgpConfig,
                         PluginFacts{
                             "sgp",
                             "stochastic gradient push: directed weights whose columns sum to one",
                             "Assran et al., ICML 2019",
                             {"push_sum", "stochastic_gradient_push"},
                             ""});
STARLING_REGISTER_PLUGIN(
    Algorithm, Osgp, OsgpConfig,
    PluginFacts{"osgp",
                "overlap sgp: messages are added tau mixing steps after they were sent",
                "Assran et al., ICML 2019",
                {"overlap_sgp"},
                ""});

}  // namespace
}  // namespace starling
