// Flat files of token ids, as nanoGPT prepares them: which is how GPT-2's own tokens get in.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/token_windows.h"
#include "data/tokens/tokens.pb.h"

namespace starling {
namespace {

absl::StatusOr<std::string> FindDirectory(const TokensConfig& config) {
  const char* data = std::getenv("STARLING_DATA");
  const std::string directory = !config.dir().empty() ? UserPath(config.dir())
                                : data != nullptr     ? absl::StrCat(data, "/tokens")
                                                      : "";
  std::error_code ignored;
  if (std::filesystem::is_directory(directory, ignored)) return directory;
  if (!config.dir().empty()) {
    return absl::NotFoundError(
        absl::StrCat("dataset \"tokens\": the directory ", directory,
                     " (dataset.config.dir) does not exist; it holds train.bin and val.bin"));
  }
  return absl::NotFoundError(
      absl::StrCat("dataset \"tokens\": its files were not found; looked for the directory ",
                   data == nullptr ? "$STARLING_DATA/tokens" : directory,
                   ". Name the one that holds train.bin and val.bin with dataset.config.dir"));
}

class Tokens {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const TokensConfig& config,
                                                         const Dataset::Context&) {
    TokenWindowsOptions options;
    options.context = config.context();
    options.vocabulary = config.vocabulary();
    options.random_offsets = config.random_offsets();
    options.expected_train = config.expected_train_tokens();
    options.expected_val = config.expected_val_tokens();
    return TokenWindows::Open("tokens", FindDirectory(config), options);
  }
};

STARLING_REGISTER_PLUGIN(Dataset, Tokens, TokensConfig,
                         PluginFacts{"tokens",
                                     "windows on flat files of token ids, as nanoGPT prepares "
                                     "them",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
