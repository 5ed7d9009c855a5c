// Test only: another algorithm, and one bit of one parameter of one worker that changes at the end
// of one step. See README.md.
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/algorithm.h"
#include "tests/replay/bit_flip.pb.h"

namespace starling {
namespace {

class BitFlip final : public Algorithm {
 public:
  static absl::StatusOr<std::unique_ptr<Algorithm>> Create(const BitFlipConfig& config,
                                                           const Context& context) {
    ASSIGN_OR_RETURN(auto algorithm,
                     Registry<Algorithm>::Global().Create(config.algorithm(), context));
    return std::make_unique<BitFlip>(config, std::move(algorithm));
  }

  BitFlip(const BitFlipConfig& config, std::unique_ptr<Algorithm> algorithm)
      : config_(config), algorithm_(std::move(algorithm)) {}

  AlgorithmFacts facts() const override { return algorithm_->facts(); }

  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    if (worker.id == config_.worker()) {  // a rehearsal has other tensors
      for (const TensorInfo& tensor : worker.layout->tensors) {
        if (tensor.name != config_.tensor() || config_.element() >= tensor.count) continue;
        element_ = x.Slice(tensor.offset + config_.element(), 1);
      }
    }
    return algorithm_->Start(worker, x, g);
  }
  absl::Status OnStepBegin(const StepInfo& info) override { return algorithm_->OnStepBegin(info); }
  absl::Status OnBucketReady(const StepInfo& info, int bucket) override {
    return algorithm_->OnBucketReady(info, bucket);
  }
  absl::Status OnStepEnd(const StepInfo& info) override {
    RETURN_IF_ERROR(algorithm_->OnStepEnd(info));
    if (info.step + 1 != config_.step() || element_.count == 0) return absl::OkStatus();
    static_cast<unsigned char*>(element_.data)[config_.bit() / 8 % SizeOf(element_.type)] ^=
        1 << config_.bit() % 8;
    return absl::OkStatus();
  }
  absl::Status Quiesce() override { return algorithm_->Quiesce(); }
  absl::Status Estimate(Buffer numerator, double* weight) override {
    return algorithm_->Estimate(numerator, weight);
  }
  absl::Status OnNewParameters() override { return algorithm_->OnNewParameters(); }
  absl::Status OnMembership(const Membership& membership) override {
    return algorithm_->OnMembership(membership);
  }
  absl::Status VisitState(StateVisitor* visitor) override {
    return algorithm_->VisitState(visitor);
  }

 private:
  const BitFlipConfig config_;
  const std::unique_ptr<Algorithm> algorithm_;
  Buffer element_;  // that changes; empty on other workers
};

STARLING_REGISTER_PLUGIN(Algorithm, BitFlip, BitFlipConfig,
                         PluginFacts{"bit_flip", "another one, and a bit that changes, for tests",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
