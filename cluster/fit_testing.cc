#include "cluster/fit_testing.h"

#include "absl/strings/str_cat.h"
#include "cluster/cluster.h"
#include "core/run/file_io.h"
#include "glog/logging.h"
#include "gtest/gtest.h"

namespace starling::testing {

std::vector<StepMeasurement> PublishedRows() {
  const auto text = ReadFile("cluster/published.csv");
  CHECK(text.ok()) << text.status();
  auto rows = ParseMeasurements(*text, "cluster/published.csv");
  CHECK(rows.ok()) << rows.status();
  return *std::move(rows);
}

ModelProfile TransformerBase() {
  const auto cluster = LoadCluster("t4_infiniband");
  CHECK(cluster.ok()) << cluster.status();
  auto model = ModelOf(*cluster, "transformer_base");
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

std::vector<HeldOutStep> PredictHeldOut(const std::vector<StepMeasurement>& rows,
                                        const std::string& cluster, int gpus) {
  std::vector<StepMeasurement> fitted;
  std::vector<HeldOutStep> held_out;
  for (const StepMeasurement& row : rows) {
    if (row.cluster != cluster) continue;
    if (row.gpus == gpus) {
      held_out.push_back({row, {}});
    } else {
      fitted.push_back(row);
    }
  }
  const auto fit = ClusterFit::Create(fitted, TransformerBase());
  CHECK(fit.ok()) << fit.status();
  for (HeldOutStep& held : held_out) held.step = fit->Predict(held.row);
  return held_out;
}

void ExpectSameOrder(const std::vector<HeldOutStep>& steps) {
  for (const HeldOutStep& a : steps) {
    for (const HeldOutStep& b : steps) {
      const bool tie = a.row.method == "aer" && b.row.method == "exp";
      if (1.015 * a.row.ms >= b.row.ms && !(tie && a.row.ms < b.row.ms)) continue;
      const std::string message = absl::StrCat(a.row.cluster, " ", a.row.gpus, ": ", a.row.method,
                                               " was faster than ", b.row.method);
      if (tie) {
        EXPECT_LE(a.step.ms, b.step.ms * 1.005) << message;
      } else {
        EXPECT_LT(a.step.ms, b.step.ms) << message;
      }
    }
  }
}

}  // namespace starling::testing
