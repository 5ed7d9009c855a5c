// Which topology reaches a target first: the predicted time of a step times the steps it takes.
//
// Steps come from a simple consensus model. If differences between workers have died out after m
// steps (the mixing time), a decentralized run needs
//
//   steps = (steps of All-Reduce) * (1 + c m),   c = 0.5 %, between 0 and 2 %,
//
// with m = 0 for All-Reduce, whose workers never differ, m = tau for rounds whose product over tau
// steps is exactly the mean, and otherwise m = tau / (1 - rho^2) for a period of tau rounds that
// shrinks disagreement by the factor rho: the tau / p of the convergence bounds (Koloskova et al.,
// ICML 2020), which mixing enters in terms that vanish faster than the leading one. c is a guess
// that suits what was published (Wang et al., ICLR 2025, tables 2 and 3): over m = 4 to 6, final
// quality differs by less than its noise.
#ifndef EXPERIMENTS_ADVISE_H_
#define EXPERIMENTS_ADVISE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/predict.h"

namespace starling {

// A value, and what it may be at least and at most.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct Advice {
  std::string topology;  // "none" for All-Reduce
  std::string algorithm;
  StepPrediction step;
  double mixing_steps = 0;  // m
  double card_mb = 0;       // sent through a machine's card per step, mean over machines and rounds
  Estimate steps;
  Estimate hours;                    // of steps and of step times
  std::vector<std::string> reasons;  // full clauses, the most important first
};

// All-Reduce, and gossip over every topology that the world allows, by hours, the fastest first.
// `all_reduce_steps` > 0. FAILED_PRECONDITION if the workers do not fit the cluster.
absl::StatusOr<std::vector<Advice>> Advise(const PredictionInput& input, double all_reduce_steps);

// At most 80 columns.
std::string AdviceText(const PredictionInput& input, double all_reduce_steps,
                       const std::vector<Advice>& advice);

// [{"topology":..,"algorithm":..,"step_ms":..,"mixing_steps":..,"card_mb":..,"steps":..,
//   "steps_low":..,"steps_high":..,"hours":..,"hours_low":..,"hours_high":..,"reasons":[..]}]
std::string AdviceJson(const std::vector<Advice>& advice);

}  // namespace starling

#endif  // EXPERIMENTS_ADVISE_H_
