#include "data/translation/prepare.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "core/run/file_io.h"
#include "core/run/mapped_file.h"
#include "core/run/run_directory.h"
#include "core/state.h"
#include "core/status.h"
#include "data/data_directory.h"
#include "data/gzip_reader.h"
#include "data/prepared.h"
#include "data/sentencepiece.h"

namespace starling {
namespace {

// Part of the cache's key: other code may make other tokens.
constexpr int kVersion = 1;

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

absl::StatusOr<std::string> FindFile(const std::string& directory, const std::string& name) {
  for (const char* packed : {"", ".gz"}) {
    const std::string path = absl::StrCat(directory, "/", name, packed);
    if (Exists(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat("dataset \"translation\": no ", name, " in ", directory,
                                          ", with or without .gz"));
}

absl::StatusOr<std::string> DigestOf(const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  return absl::StrFormat("%d bytes, %016x", file->bytes().size(), DigestBytes(file->bytes()));
}

absl::StatusOr<std::string> KeyOf(const TranslationConfig& config, const TranslationFiles& files) {
  std::string key = absl::StrCat("translation ", kVersion, "\n");
  if (config.sentencepiece().empty()) {
    absl::StrAppend(&key, TranslationConfig::ModelType_Name(config.model_type()), " ",
                    config.vocabulary(), "\n");
  } else {
    ASSIGN_OR_RETURN(const std::string digest, DigestOf(UserPath(config.sentencepiece())));
    absl::StrAppend(&key, "model ", digest, "\n");
  }
  for (const ParallelFiles& pair : files) {
    for (const std::string& path : {pair.source, pair.target}) {
      ASSIGN_OR_RETURN(const std::string digest, DigestOf(path));
      absl::StrAppend(&key, digest, "\n");
    }
  }
  return key;
}

int64_t Lines(absl::string_view text) {
  const auto ends = std::count(text.begin(), text.end(), '\n');
  return ends + (text.empty() || text.back() == '\n' ? 0 : 1);
}

// Unpacks `path` to `to`; returns its number of lines.
absl::StatusOr<int64_t> Unpack(const std::string& path, const std::string& to) {
  ASSIGN_OR_RETURN(const std::string text, ReadUnpacked(path));
  RETURN_IF_ERROR(WriteFileAtomically(to, text));
  return Lines(text);
}

// Whether data/translations.h and the model in the file `given` mean the same by tokens 0 to 3.
absl::Status CheckSpecialPieces(const std::string& given) {
  ASSIGN_OR_RETURN(const std::vector<std::string> pieces, PiecesOf(given));
  const std::vector<std::string> special = {"<pad>", "<unk>", "<s>", "</s>"};
  if (pieces.size() > special.size() &&
      std::equal(special.begin(), special.end(), pieces.begin())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the model ", given,
      " (dataset.config.sentencepiece) must have <pad>, <unk>, <s> and </s> as ",
      "pieces 0 to 3; train it with `spm_train --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3`"));
}

absl::Status Encode(const std::string& model, const std::string& text, int64_t lines,
                    const std::string& to) {
  ASSIGN_OR_RETURN(const std::vector<int32_t> ids, EncodeWithSentencePiece(model, text));
  const int64_t ends = std::count(ids.begin(), ids.end(), kEndPiece);
  if (ends != lines) {
    return absl::InternalError(
        absl::StrCat("spm_encode made ", ends, " sentences of the ", lines, " lines in ", text));
  }
  return WriteFileAtomically(to, absl::string_view(reinterpret_cast<const char*>(ids.data()),
                                                   ids.size() * sizeof(int32_t)));
}

absl::Status Make(const TranslationConfig& config, const TranslationFiles& files,
                  const std::string& directory) {
  // Unpacked texts of each split; only SentencePiece needs them.
  const auto text = [&](size_t split, const char* side) {
    return absl::StrCat(directory, "/", split, ".", side, ".txt");
  };
  std::array<int64_t, 3> lines{};
  for (size_t i = 0; i < files.size(); ++i) {
    ASSIGN_OR_RETURN(lines[i], Unpack(files[i].source, text(i, "source")));
    ASSIGN_OR_RETURN(const int64_t target, Unpack(files[i].target, text(i, "target")));
    if (lines[i] != target || target == 0) {
      return absl::DataLossError(
          absl::StrCat("dataset \"translation\": ", files[i].source, " has ", lines[i],
                       " lines and ", files[i].target, " ", target,
                       "; line i of both belongs together, and there must be one"));
    }
  }
  const std::string prefix = absl::StrCat(directory, "/spm"), model = prefix + ".model";
  if (config.sentencepiece().empty()) {
    const bool bpe = config.model_type() == TranslationConfig::BPE;
    RETURN_IF_ERROR(
        WithContext(TrainSentencePiece({text(0, "source"), text(0, "target")}, config.vocabulary(),
                                       {bpe ? "--model_type=bpe" : "--model_type=unigram"}, prefix),
                    "dataset \"translation\""));
  } else {
    const std::string path = UserPath(config.sentencepiece());
    RETURN_IF_ERROR(WithContext(CheckSpecialPieces(path), "dataset \"translation\""));
    ASSIGN_OR_RETURN(const std::string given, ReadFile(path));
    RETURN_IF_ERROR(WriteFileAtomically(model, given));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    for (const char* side : {"source", "target"}) {
      RETURN_IF_ERROR(WithContext(
          Encode(model, text(i, side), lines[i], absl::StrCat(directory, "/", i, ".", side)),
          "dataset \"translation\""));
      std::error_code ignored;
      std::filesystem::remove(text(i, side), ignored);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TranslationFiles> FindTranslationFiles(const TranslationConfig& config) {
  ASSIGN_OR_RETURN(
      const std::string directory,
      FindDataDirectory("translation", config.dir(),
                        {{config.corpus()}, "", "docs/data.md says where to get text"}));
  TranslationFiles files;
  files[0].name = config.train();
  files[1].name = config.validation();
  files[2].name = config.test();
  for (ParallelFiles& pair : files) {
    ASSIGN_OR_RETURN(pair.source,
                     FindFile(directory, absl::StrCat(pair.name, ".", config.source())));
    ASSIGN_OR_RETURN(pair.target,
                     FindFile(directory, absl::StrCat(pair.name, ".", config.target())));
  }
  return files;
}

absl::StatusOr<std::string> PrepareTranslation(const TranslationConfig& config,
                                               const TranslationFiles& files) {
  ASSIGN_OR_RETURN(const std::string key, KeyOf(config, files));
  return PreparedDirectory("translation", key, [&](const std::string& directory) {
    return Make(config, files, directory);
  });
}

}  // namespace starling
