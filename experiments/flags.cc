#include "experiments/flags.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/config/nearest.h"
#include "experiments/columns.h"
#include "gflags/gflags.h"

namespace starling {
namespace {

bool Knows(const Verb& verb, const std::string& flag) {
  return std::find(verb.flags.begin(), verb.flags.end(), flag) != verb.flags.end();
}

gflags::CommandLineFlagInfo InfoOf(const std::string& flag) {
  return gflags::GetCommandLineFlagInfoOrDie(flag.c_str());
}

bool IsBool(const std::string& flag) { return flag != "set" && InfoOf(flag).type == "bool"; }

// What a flag without a value means; empty: it needs one.
std::string BareValue(const Verb& verb, const std::string& flag) {
  const auto found = verb.bare_values.find(flag);
  if (found != verb.bare_values.end()) return found->second;
  return IsBool(flag) ? "true" : "";
}

absl::Status UnknownFlag(const Verb& verb, const std::string& name) {
  std::vector<std::string> known = verb.flags;
  known.push_back("help");
  return absl::InvalidArgumentError(absl::StrCat("unknown flag --", name, DidYouMean(name, known),
                                                 " `starling ", verb.name,
                                                 " --help` lists them all"));
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(const Verb& verb, const std::vector<std::string>& args) {
  Arguments result;
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view arg = args[i];
    if (!absl::StartsWith(arg, "-") || arg == "-") {
      result.words.emplace_back(arg);
      continue;
    }
    if (!absl::ConsumePrefix(&arg, "--")) absl::ConsumePrefix(&arg, "-");
    const std::vector<std::string> parts = absl::StrSplit(arg, absl::MaxSplits('=', 1));
    std::string name = absl::StrReplaceAll(parts[0], {{"-", "_"}});
    bool has_value = parts.size() == 2;
    std::string value = has_value ? parts[1] : "";
    if (name == "help" || name == "h") {
      result.help = true;
      continue;
    }
    if (!Knows(verb, name) && !has_value && absl::StartsWith(name, "no") &&
        Knows(verb, name.substr(2)) && IsBool(name.substr(2))) {
      name = name.substr(2);
      value = "false";
      has_value = true;
    }
    if (!Knows(verb, name)) return UnknownFlag(verb, name);
    const std::string bare_value = BareValue(verb, name);
    if (!has_value && !bare_value.empty()) {
      value = bare_value;
    } else if (!has_value) {
      if (i + 1 == args.size() || absl::StartsWith(args[i + 1], "--")) {
        return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
      }
      value = args[++i];
    }
    if (name == "set") {
      result.set.push_back(value);
    } else if (gflags::SetCommandLineOption(name.c_str(), value.c_str()).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, "=", value, ": expected ", InfoOf(name).type));
    }
  }
  return result;
}

std::string FlagsHelp(const Verb& verb) {
  std::string text;
  for (const std::string& flag : verb.flags) {
    std::string meaning = "path=value: changes one field of the config; may be repeated";
    std::string shape = "--set PATH=VALUE";
    if (flag != "set") {
      const auto info = InfoOf(flag);
      meaning = info.description;
      shape = absl::StrCat("--", flag);
      if (info.type != "bool") {
        const std::string value = absl::StrCat("=", info.type == "string" ? "TEXT" : "NUMBER");
        const bool optional = !BareValue(verb, flag).empty();
        absl::StrAppend(&shape, optional ? absl::StrCat("[", value, "]") : value);
      }
    }
    absl::StrAppend(&text, RowText(shape, meaning, 27));
  }
  return text;
}

}  // namespace starling
