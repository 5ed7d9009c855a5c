// Plain text as tokens: tokenized once, kept in the cache of prepared data in the form that
// `tokens` reads, and read in windows.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/state.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/prepared.h"
#include "data/sentencepiece.h"
#include "data/text/text.pb.h"
#include "data/text/tokenize.h"
#include "data/token_windows.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr char kVocabularyFile[] = "vocabulary.json";
constexpr std::array<const char*, 3> kTokenFiles = {"train.bin", "val.bin", "test.bin"};

// The training, validation and test part of a text, by lines.
using Parts = std::array<absl::string_view, 3>;

absl::StatusOr<std::string> ReadText(const std::string& configured) {
  std::string path = UserPath(configured);
  std::error_code error;
  if (configured.empty()) {
    constexpr char kDefault[] = "/tinyshakespeare/input.txt";
    const char* data = std::getenv("STARLING_DATA");
    path = absl::StrCat(data == nullptr ? "" : data, kDefault);
    if (data == nullptr || !fs::exists(path, error)) {
      return absl::NotFoundError(absl::StrCat(
          "its files were not found; looked for ", data == nullptr ? "$STARLING_DATA" : data,
          kDefault, ". Name a file, or a directory of .txt files, with dataset.config.path"));
    }
  }
  if (!fs::is_directory(path, error)) return ReadFile(path);
  std::vector<std::string> files;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".txt") files.push_back(entry->path().string());
  }
  if (error) return FileError(error.value(), "read", path);
  if (files.empty()) return absl::NotFoundError(absl::StrCat(path, " holds no .txt file"));
  std::sort(files.begin(), files.end());
  std::string text;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string contents, ReadFile(file));
    text += contents;
  }
  return text;
}

Parts SplitText(absl::string_view text, const TextConfig& config) {
  const auto length = static_cast<double>(text.size());
  const double train = 1 - config.validation_fraction() - config.test_fraction();
  const size_t first = BehindLine(text, static_cast<size_t>(std::llround(length * train)));
  const size_t second =
      BehindLine(text, static_cast<size_t>(std::llround(length * (1 - config.test_fraction()))));
  return {text.substr(0, first), text.substr(first, second - first), text.substr(second)};
}

template <typename Ids>
absl::Status WriteIds(const std::string& directory, int part, const Ids& ids) {
  std::string bytes;
  bytes.reserve(2 * ids.size());
  for (const auto id : ids) {
    bytes += static_cast<char>(id & 0xff);
    bytes += static_cast<char>(id >> 8 & 0xff);
  }
  return WriteFileAtomically(absl::StrCat(directory, "/", kTokenFiles[part]), bytes);
}

// The text of every id, as far as it is UTF-8.
absl::Status WriteVocabulary(const std::string& directory, const std::vector<std::string>& texts) {
  return WriteFileAtomically(absl::StrCat(directory, "/", kVocabularyFile),
                             nlohmann::json(texts).dump() + "\n");
}

absl::Status TokenizeBytes(const Parts& parts, const std::string& directory) {
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) {
    texts.push_back(byte < 128 ? std::string(1, static_cast<char>(byte))
                               : absl::StrFormat("<0x%02X>", byte));
  }
  for (int part = 0; part < 3; ++part) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(parts[part].data());
    RETURN_IF_ERROR(WriteIds(directory, part, absl::MakeSpan(bytes, parts[part].size())));
  }
  return WriteVocabulary(directory, texts);
}

absl::Status TokenizeCharacters(const Parts& parts, const std::string& directory) {
  std::array<std::vector<char32_t>, 3> ids;
  std::vector<char32_t> known;
  size_t before = 0;
  for (int part = 0; part < 3; ++part) {
    auto characters = CharactersOf(parts[part]);
    if (!characters.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("in the text, behind ", before, " bytes, ",
                                                     characters.status().message(),
                                                     "; tokenizer: BYTES takes any text"));
    }
    ids[part] = *std::move(characters);
    known.insert(known.end(), ids[part].begin(), ids[part].end());
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    before += parts[part].size();
  }
  if (known.size() > 65536) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the text has ", known.size(), " different characters; ids of two bytes tell 65536 apart"));
  }
  std::vector<std::string> texts;
  for (const char32_t character : known) texts.push_back(Utf8(character));
  for (int part = 0; part < 3; ++part) {
    for (char32_t& id : ids[part]) {
      id = static_cast<char32_t>(std::lower_bound(known.begin(), known.end(), id) - known.begin());
    }
    RETURN_IF_ERROR(WriteIds(directory, part, ids[part]));
  }
  return WriteVocabulary(directory, texts);
}

absl::Status TokenizePieces(const Parts& parts, int64_t size, const std::string& directory) {
  const std::string model = absl::StrCat(directory, "/sentencepiece");
  const std::string lines = absl::StrCat(directory, "/lines");
  for (int part = 0; part < 3; ++part) {
    RETURN_IF_ERROR(WriteFileAtomically(lines, parts[part]));
    if (part == 0) {
      // All spaces stay, and what the training split does not know is spelt in bytes: the tokens
      // are the text.
      RETURN_IF_ERROR(TrainSentencePiece(
          {lines}, size,
          {"--normalization_rule_name=identity", "--remove_extra_whitespaces=false",
           "--byte_fallback=true", "--max_sentence_length=65536"},
          model));
    }
    ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                     EncodeWithSentencePiece(absl::StrCat(model, ".model"), lines));
    RETURN_IF_ERROR(WriteIds(directory, part, ids));
  }
  std::error_code ignored;
  fs::remove(lines, ignored);
  ASSIGN_OR_RETURN(const std::string vocabulary, ReadFile(absl::StrCat(model, ".vocab")));
  std::vector<std::string> texts;
  for (absl::string_view line : absl::StrSplit(vocabulary, '\n', absl::SkipEmpty())) {
    texts.emplace_back(line.substr(0, line.rfind('\t')));
  }
  return WriteVocabulary(directory, texts);
}

absl::StatusOr<std::string> Prepare(const TextConfig& config) {
  const bool pieces = config.tokenizer() == TextConfig::SENTENCEPIECE;
  if (pieces && config.vocabulary_size() == 0) {
    return absl::InvalidArgumentError(
        "tokenizer: SENTENCEPIECE needs a vocabulary_size, such as 4000");
  }
  if (!pieces && config.vocabulary_size() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("vocabulary_size is ", config.vocabulary_size(),
                     ", which only tokenizer: SENTENCEPIECE takes; leave it out"));
  }
  if (config.validation_fraction() + config.test_fraction() >= 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "validation_fraction and test_fraction are ", config.validation_fraction(), " and ",
        config.test_fraction(), "; together they must leave text to train on"));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadText(config.path()));
  const std::string key = absl::StrFormat(
      "version 1\ntokenizer %s\nvocabulary_size %d\nvalidation_fraction %.17g\n"
      "test_fraction %.17g\ntext of %d bytes, digest %016x",
      TextConfig::Tokenizer_Name(config.tokenizer()), config.vocabulary_size(),
      config.validation_fraction(), config.test_fraction(), text.size(), DigestBytes(text));
  return PreparedDirectory("text", key, [&](const std::string& directory) {
    const Parts parts = SplitText(text, config);
    switch (config.tokenizer()) {
      case TextConfig::BYTES:
        return TokenizeBytes(parts, directory);
      case TextConfig::SENTENCEPIECE:
        return TokenizePieces(parts, config.vocabulary_size(), directory);
      default:
        return TokenizeCharacters(parts, directory);
    }
  });
}

class Text {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const TextConfig& config,
                                                         const Dataset::Context&) {
    const auto directory = Prepare(config);
    if (!directory.ok()) return WithContext(directory.status(), "dataset \"text\"");
    ASSIGN_OR_RETURN(const std::string vocabulary,
                     ReadFile(absl::StrCat(*directory, "/", kVocabularyFile)));
    const auto size = static_cast<int64_t>(nlohmann::json::parse(vocabulary).size());
    TokenWindowsOptions options;
    options.context = config.context();
    options.vocabulary = size;
    options.random_offsets = config.random_offsets();
    return TokenWindows::Open("text", *directory, options);
  }
};

STARLING_REGISTER_PLUGIN(Dataset, Text, TextConfig,
                         PluginFacts{"text",
                                     "plain text as characters, bytes or SentencePiece's pieces",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
