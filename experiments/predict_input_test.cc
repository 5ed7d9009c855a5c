#include "experiments/predict_input.h"

#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "core/run/test_files.h"
#include "experiments/predict_command.h"
#include "gflags/gflags.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// Every case starts from the flags' defaults.
absl::StatusOr<PredictionInput> Read(const std::vector<std::string>& line) {
  gflags::FlagSaver saver;
  const auto arguments = ParseArguments(PredictVerb(), line);
  EXPECT_TRUE(arguments.ok()) << arguments.status();
  return ReadPredictionInput(*arguments, BuiltInConfig());
}

TEST(PredictionInput, FlagsAloneAreEnough) {
  const auto input =
      Read({"--cluster=nvlink_island", "--workers=64", "--workers_per_node=4",
            "--model_bytes=252.6e6", "--buckets_mb=26.3,26.3,26.3,26.3,26.3,26.3,94.8"});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->workers, 64);
  EXPECT_EQ(input->cluster.workers_per_node(), 4);
  EXPECT_EQ(input->model.bucket_size(), 7);
  EXPECT_NEAR(input->model.bucket(6).mb(), 94.8, 1e-9);
  EXPECT_EQ(input->model.fixed_ms(), 100);
  ASSERT_EQ(input->notes.size(), 1u);
  EXPECT_EQ(input->notes[0],
            "computing is assumed to take 100 ms per step; say --compute_ms or --model");
  EXPECT_TRUE(input->config.mixing().overlap());
  EXPECT_EQ(input->config.algorithm().name(), "gossip");
}

TEST(PredictionInput, ProfilesOfTheCluster) {
  auto input = Read({"--cluster=t4_infiniband", "--workers=32"});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->model.name(), "transformer_base");
  EXPECT_EQ(input->cluster.workers_per_node(), 8);
  EXPECT_TRUE(input->notes.empty());
  input = Read({"--cluster=t4_infiniband", "--model_bytes=505.2e6", "--compute_ms=80"});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_NEAR(input->model.bucket(6).mb(), 2 * 94.8, 1e-9);
  EXPECT_EQ(input->model.bucket(6).backward_share(), 0.14);
  EXPECT_EQ(input->model.fixed_ms(), 80);
  EXPECT_EQ(input->model.scaled_ms(), 0);
  const auto unknown = Read({"--cluster=t4_infiniband", "--model=bert"});
  EXPECT_TRUE(absl::StrContains(unknown.status().message(), "it has them for: transformer_base"))
      << unknown.status();
}

TEST(PredictionInput, ConfigsTrainableOrNot) {
  const std::string file = NewDirectory() + "/e.textproto";
  std::ofstream(file) << "workers: 4 workers_per_node: 2 topology { name: 'ring' } "
                         "mixing { every_steps: 3 }";
  auto input = Read({"--cluster=laptop", "--config=" + file, "--model_bytes=50e6"});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->workers, 4);
  EXPECT_EQ(input->cluster.workers_per_node(), 2);
  EXPECT_EQ(input->config.mixing().every_steps(), 3);
  EXPECT_EQ(input->model.bucket_size(), 2);  // of 25 MiB
  input = Read({"--cluster=laptop", "--config=" + file, "--model_bytes=50e6", "--workers=6"});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->workers, 6);
  EXPECT_FALSE(Read({"--cluster=laptop", "--config=" + file}).ok());

  const std::string whole = NewDirectory() + "/w.textproto";
  std::ofstream(whole) << "workers: 2 topology { name: 'ring' } model { name: 'quadratic' } "
                          "dataset { name: 'no_data' } train { local_batch_size: 1 max_steps: 9 }";
  input = Read({"--cluster=laptop", "--config=" + whole, "--set", "workers=4"});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->workers, 4);
  EXPECT_EQ(input->model.name(), "quadratic");
  EXPECT_GT(ModelMb(input->model), 0);
}

TEST(PredictionInput, MistakesAreAnswered) {
  const auto said = [](const std::vector<std::string>& line) {
    return std::string(Read(line).status().message());
  };
  EXPECT_TRUE(absl::StartsWith(said({}), "which cluster? --cluster=NAME_OR_FILE; there are: a100"));
  EXPECT_TRUE(absl::StartsWith(said({"--cluster=laptops"}), "no cluster and no file \"laptops\""));
  EXPECT_EQ(said({"--cluster=laptop"}),
            "cluster \"laptop\" has no model profile: say --model_bytes=N, or --model=FILE, or "
            "give a config");
  EXPECT_EQ(said({"--cluster=laptop", "--model_bytes=-1"}), "--model_bytes=-1: more than 0");
  EXPECT_TRUE(absl::StrContains(
      said({"--cluster=dtfm_0_data_center", "--workers=128", "--model_bytes=1e6"}),
      "has 8 machines; 128 workers, 8 per machine, need 16"));
  EXPECT_EQ(said({"--cluster=laptop", "--model_bytes=1e6", "--buckets_mb=1,x"}),
            "--buckets_mb=1,x: \"x\" is no size in MB; say 25 or 26.3,26.3,94.8");
  EXPECT_EQ(said({"--cluster=laptop", "--set=workers=3"}),
            "--set changes a config: --config=FILE is missing");
}

TEST(BucketsMb, CutOrListed) {
  EXPECT_EQ(*BucketsMb("25", 60), (std::vector<double>{25, 25, 10}));
  EXPECT_EQ(*BucketsMb("1,3", 0), (std::vector<double>{1, 3}));
  EXPECT_EQ(*BucketsMb("1,3", 8), (std::vector<double>{2, 6}));
}

}  // namespace
}  // namespace starling
