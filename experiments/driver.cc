#include "experiments/driver.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/config/nearest.h"
#include "core/run/build_stamp.h"
#include "experiments/advise_command.h"
#include "experiments/calibrate_command.h"
#include "experiments/compare_command.h"
#include "experiments/export_command.h"
#include "experiments/fit_command.h"
#include "experiments/inspect_commands.h"
#include "experiments/predict_command.h"
#include "experiments/replay/replay_command.h"
#include "experiments/report/report_command.h"
#include "experiments/sweep/sweep_command.h"
#include "experiments/train_command.h"
#include "experiments/verify_command.h"
#include "gflags/gflags.h"

DEFINE_string(cpu, "native", "vector level: native, avx512 or avx2 (fixes the bits)");

namespace starling {
namespace {

struct Command {
  const Verb* verb;
  std::function<int(const Arguments&)> run;
};

int Usage(FILE* out, const std::vector<Command>& commands) {
  std::fprintf(out, "usage: starling VERB [flags]\n\n");
  for (const Command& command : commands) {
    std::fprintf(out, "  %-10s %s\n", command.verb->name.c_str(), command.verb->summary.c_str());
  }
  std::fprintf(out,
               "\n`starling VERB --help` prints its flags; `starling --version` the build.\n"
               "Start with: starling train --config=experiments/configs/quickstart.textproto\n");
  return out == stdout ? 0 : 2;
}

int Complain(absl::string_view message) {
  std::fprintf(stderr, "starling: %s\n", std::string(message).c_str());
  return 2;
}

int Version() {
  std::printf("starling %s%s\n", BuildCommit().empty() ? "unknown" : BuildCommit().c_str(),
              BuildIsDirty() ? " (dirty)" : "");
  return 0;
}

}  // namespace

int RunDriver(const std::vector<std::string>& args, const BuiltInConfig& built_in, char** argv) {
  std::vector<std::string> line = {argv[0]};
  line.insert(line.end(), args.begin(), args.end());
  const std::vector<Command> commands = {
      {&TrainVerb(),
       [&](const Arguments& arguments) { return TrainCommand(arguments, built_in, line); }},
      {&SweepVerb(), [&](const Arguments& arguments) { return SweepCommand(arguments, built_in); }},
      {&VerifyVerb(),
       [&](const Arguments& arguments) { return VerifyCommand(arguments, built_in); }},
      {&PredictVerb(),
       [&](const Arguments& arguments) { return PredictCommand(arguments, built_in); }},
      {&AdviseVerb(),
       [&](const Arguments& arguments) { return AdviseCommand(arguments, built_in); }},
      {&CalibrateVerb(),
       [&](const Arguments& arguments) { return CalibrateCommand(arguments, built_in, line); }},
      {&CompareVerb(),
       [&](const Arguments& arguments) { return CompareCommand(arguments, built_in, line); }},
      {&FitVerb(), FitCommand},
      {&ReportVerb(), ReportCommand},
      {&ExportVerb(), ExportCommand},
      {&ReplayVerb(),
       [&](const Arguments& arguments) { return ReplayCommand(arguments, line, argv); }},
      {&ListVerb(), ListCommand},
      {&DescribeVerb(), DescribeCommand},
      {&DoctorVerb(), DoctorCommand}};
  std::vector<std::string> rest = args;
  const bool bare = args.empty() || absl::StartsWith(args[0], "-");
  if (!args.empty() && (args[0] == "--version" || args[0] == "version")) return Version();
  if (bare && built_in.text.empty()) {
    const bool asked = !args.empty() && (args[0] == "--help" || args[0] == "-h");
    return Usage(asked ? stdout : stderr, commands);
  }
  std::string name = built_in.is_sweep ? "sweep" : "train";
  if (!bare) {
    name = args[0];
    rest.erase(rest.begin());
  }
  if (name == "help") return Usage(stdout, commands);
  std::vector<std::string> names;
  for (const Command& command : commands) {
    names.push_back(command.verb->name);
    if (command.verb->name != name) continue;
    const auto arguments = ParseArguments(*command.verb, rest);
    if (!arguments.ok()) return Complain(arguments.status().message());
    if (arguments->help) {
      std::printf("usage: starling %s\n\n%s.\n\n%s", command.verb->usage.c_str(),
                  command.verb->summary.c_str(), FlagsHelp(*command.verb).c_str());
      return 0;
    }
    // Executing the program again costs another start, so only verbs that compute do it.
    const auto& flags = command.verb->flags;
    if (std::find(flags.begin(), flags.end(), "cpu") != flags.end()) {
      const absl::Status fixed = FixLevels(FLAGS_cpu, argv);
      if (!fixed.ok()) return Complain(fixed.message());
    }
    return command.run(*arguments);
  }
  return Complain(absl::StrCat("no verb \"", name, "\"", DidYouMean(name, names),
                               " `starling help` lists them"));
}

}  // namespace starling
