// For tests of fits: the published step times, and predictions of worlds that a fit did not see.
#ifndef CLUSTER_FIT_TESTING_H_
#define CLUSTER_FIT_TESTING_H_

#include <string>
#include <vector>

#include "cluster/cluster.pb.h"
#include "cluster/fit.h"
#include "cluster/step_measurements.h"

namespace starling::testing {

// cluster/published.csv.
std::vector<StepMeasurement> PublishedRows();

// The model that they are of, without times.
ModelProfile TransformerBase();

struct HeldOutStep {
  StepMeasurement row;
  FittedStep step;

  double error() const { return step.ms / row.ms - 1; }
};

// Fits a cluster's rows of other sizes and predicts those of `gpus`.
std::vector<HeldOutStep> PredictHeldOut(const std::vector<StepMeasurement>& rows,
                                        const std::string& cluster, int gpus);

// Expects whoever was measured to be faster by more than 1.5 % to be predicted faster. "aer" and
// "exp" tie where computing takes longer than both: there "aer" must only not be slower.
void ExpectSameOrder(const std::vector<HeldOutStep>& steps);

}  // namespace starling::testing

#endif  // CLUSTER_FIT_TESTING_H_
