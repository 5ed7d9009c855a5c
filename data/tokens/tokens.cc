// Flat files of token ids, as nanoGPT prepares them: which is how GPT-2's own tokens get in.
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/token_windows.h"
#include "data/tokens/tokens.pb.h"

namespace starling {
namespace {

class Tokens {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const TokensConfig& config,
                                                         const Dataset::Context&) {
    std::string directory = UserPath(config.dir());
    if (config.dir().empty()) {
      const char* data = std::getenv("STARLING_DATA");
      if (data == nullptr || *data == '\0') {
        return absl::NotFoundError(
            "dataset \"tokens\": no directory is given; name the one that holds train.bin and "
            "val.bin with dataset.config.dir, or put it at $STARLING_DATA/tokens");
      }
      directory = absl::StrCat(data, "/tokens");
    }
    return TokenWindows::Open("tokens", directory,
                              {config.context(), config.vocabulary(), config.random_offsets()});
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
