// Predictions as text for people and for programs.
#ifndef EXPERIMENTS_PREDICT_TEXT_H_
#define EXPERIMENTS_PREDICT_TEXT_H_

#include <string>
#include <vector>

#include "experiments/predict.h"

namespace starling {

// What is predicted, a table, and how to read it; at most 80 columns. Algorithms of equal times
// over a topology share a line.
std::string PredictionText(const PredictionInput& input, const PredictionTable& table,
                           const std::vector<std::string>& left_out);

// [{"topology":..,"algorithm":..,"step_ms":..,"p99_ms":..,"exposed_ms":..,"regime":..,"speedup":..}]
std::string PredictionJson(const PredictionTable& table);

}  // namespace starling

#endif  // EXPERIMENTS_PREDICT_TEXT_H_
