// Every registered algorithm over every registered topology verifies, where it is legal.
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "experiments/plan.h"
#include "experiments/verify.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "topology/topology.h"

namespace starling {
namespace {

// The config of topology `name`: a star, for the one that does nothing without a file.
std::string TopologyText(const std::string& name, int workers) {
  if (name != "from_file") return absl::StrCat("name: \"", name, "\"");
  const std::string path = absl::StrCat(testing::TempDir(), "/star_", workers, ".txt");
  std::ofstream file(path);
  for (int i = 1; i < workers; ++i) file << "0 " << i << "\n";
  return absl::StrCat("name: \"from_file\" config { path: \"", path, "\" }");
}

// Verifies; returns whether the plan was legal at all.
bool Verifies(const std::string& text, std::vector<std::string>* said) {
  SCOPED_TRACE(text);
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  EXPECT_EQ(ParseText(absl::StrCat(text,
                                   " model { name: \"quadratic\" } dataset { name: \"no_data\" } "
                                   "train { local_batch_size: 1 max_steps: 1000 }"),
                      "e.txt", &config, &locations),
            absl::OkStatus());
  EXPECT_EQ(ResolveExperiment(locations, &config, &notes), absl::OkStatus());
  const auto plan = MakePlan(config, locations);
  if (!plan.ok()) {
    EXPECT_TRUE(absl::StrContains(plan.status().message(), " needs ")) << plan.status();
    return false;
  }
  const auto verified = VerifyPlan(**plan, locations);
  EXPECT_TRUE(verified.ok()) << verified.status();
  if (verified.ok()) said->push_back(*verified);
  return true;
}

TEST(VerifyAll, EveryAlgorithmOverEveryTopology) {
  int legal = 0;
  for (const std::string& algorithm : Registry<Algorithm>::Global().Names()) {
    for (const std::string& topology : Registry<Topology>::Global().Names()) {
      for (const int workers : {1, 2, 3, 4, 8}) {
        for (const char* mixing : {"", "overlap: false", "every_steps: 2"}) {
          // Machines of all workers, and of half of them.
          for (const int machines : {1, 2}) {
            if (workers % machines != 0) continue;
            std::vector<std::string> said;
            legal += Verifies(
                absl::StrCat("workers: ", workers, " workers_per_node: ", workers / machines,
                             " algorithm { name: \"", algorithm, "\" } topology { ",
                             TopologyText(topology, workers), " } mixing { ", mixing, " }"),
                &said);
            for (const std::string& text : said) {
              EXPECT_FALSE(absl::StrContains(text, "not tried")) << text;
              EXPECT_FALSE(absl::StrContains(text, "less than a period")) << text;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(legal, 200);
}

}  // namespace
}  // namespace starling
