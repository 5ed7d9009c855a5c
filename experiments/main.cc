// main of every binary that starling_experiment makes.
#include <csignal>
#include <string>
#include <vector>

#include "experiments/built_in_config.h"
#include "experiments/driver.h"
#include "gflags/gflags.h"
#include "glog/logging.h"

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  std::signal(SIGPIPE, SIG_IGN);  // `starling list | head` is no reason to die unsaid
  return starling::RunDriver(std::vector<std::string>(argv + 1, argv + argc),
                             starling::GetBuiltInConfig(), argv);
}
