// Sentence pairs from two parallel text files per split: line i of the one is a translation of line
// i of the other. Tokens are SentencePiece's, of one vocabulary for both languages; they are made
// once and then found in the cache (prepare.h). Fields: data/translations.h.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/registry.h"
#include "core/run/mapped_file.h"
#include "core/state.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/gzip_reader.h"
#include "data/sentencepiece.h"
#include "data/translation/prepare.h"
#include "data/translation/translation.pb.h"
#include "data/translations.h"

namespace starling {
namespace {

static_assert(kPadPiece == kPadding && kUnknownPiece == kUnknown && kBeginPiece == kBegin &&
              kEndPiece == kEnd);

constexpr Split kSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};

// The tokens of a file's lines.
class Sentences {
 public:
  static absl::StatusOr<Sentences> Open(const std::string& path) {
    Sentences sentences;
    ASSIGN_OR_RETURN(sentences.file_, MappedFile::Open(path));
    const absl::string_view bytes = sentences.file_->bytes();
    sentences.tokens_ = absl::MakeConstSpan(reinterpret_cast<const int32_t*>(bytes.data()),
                                            bytes.size() / sizeof(int32_t));
    for (size_t i = 0; i < sentences.tokens_.size(); ++i) {
      if (sentences.tokens_[i] == kEnd) sentences.ends_.push_back(static_cast<int64_t>(i));
    }
    return sentences;
  }

  int64_t size() const { return static_cast<int64_t>(ends_.size()); }

  // Sentence i, at most `most` tokens of it, without kEnd.
  absl::Span<const int32_t> Get(int64_t i, int64_t most) const {
    const int64_t begin = i == 0 ? 0 : ends_[i - 1] + 1;
    return tokens_.subspan(begin, std::min(ends_[i] - begin, most));
  }

  uint64_t digest() const { return DigestBytes(file_->bytes()); }

 private:
  std::unique_ptr<MappedFile> file_;
  absl::Span<const int32_t> tokens_;
  std::vector<int64_t> ends_;  // places of kEnd
};

DataSpec SpecOf(int64_t vocabulary) {
  DataSpec spec;
  for (const char* field : {"source", "target_in", "target_out"}) {
    spec.fields.push_back({field, {-1}, DType::kI64});
  }
  spec.vocabulary = vocabulary;
  return spec;
}

struct SentencePairs {
  Sentences source, target;
  std::vector<std::string> references;  // target text; of validation and test
};

// Stands for files that are not here, so that a run with them can be planned.
class Assumed final : public Dataset {
 public:
  Assumed(const TranslationConfig& config, absl::Status missing)
      : config_(config), missing_(std::move(missing)), spec_(SpecOf(config.vocabulary())) {}

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override {
    const AssumedTranslation& assumed = config_.assumed();
    if (split == Split::kTrain) return assumed.train_pairs();
    return split == Split::kValidation ? assumed.validation_pairs() : assumed.test_pairs();
  }
  uint64_t fingerprint() const override { return 0; }
  absl::Status Available() const override { return missing_; }
  absl::Status Read(Split, absl::Span<const int64_t>, uint64_t, Batch*) const override {
    return missing_;
  }
  absl::Span<const int32_t> labels(Split) const override { return {}; }
  int64_t cost(Split, int64_t) const override {
    return std::min(config_.assumed().tokens(), config_.max_length());
  }

 private:
  const TranslationConfig config_;
  const absl::Status missing_;
  const DataSpec spec_;
};

class Translation final : public Dataset, public Translations {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const TranslationConfig& config,
                                                         const Dataset::Context&) {
    const auto found = FindTranslationFiles(config);
    if (absl::IsNotFound(found.status()) && config.assumed().train_pairs() > 0) {
      return std::make_unique<Assumed>(config, found.status());
    }
    RETURN_IF_ERROR(found.status());
    const TranslationFiles& files = *found;
    ASSIGN_OR_RETURN(const std::string directory, PrepareTranslation(config, files));
    auto data = std::make_unique<Translation>(config.max_length());
    ASSIGN_OR_RETURN(data->pieces_, PiecesOf(absl::StrCat(directory, "/spm.model")));
    std::vector<uint64_t> digests = {static_cast<uint64_t>(config.max_length()),
                                     data->pieces_.size()};
    for (Split split : kSplits) {
      const auto i = static_cast<int>(split);
      SentencePairs& pairs = data->splits_[i];
      ASSIGN_OR_RETURN(pairs.source, Sentences::Open(absl::StrCat(directory, "/", i, ".source")));
      ASSIGN_OR_RETURN(pairs.target, Sentences::Open(absl::StrCat(directory, "/", i, ".target")));
      digests.push_back(pairs.source.digest());
      digests.push_back(pairs.target.digest());
      if (split == Split::kTrain) continue;
      ASSIGN_OR_RETURN(const std::string text, ReadUnpacked(files[i].target));
      pairs.references = absl::StrSplit(text, '\n');
      pairs.references.resize(pairs.target.size());
    }
    data->fingerprint_ = CombineDigests(digests);
    data->spec_ = SpecOf(static_cast<int64_t>(data->pieces_.size()));
    return data;
  }

  explicit Translation(int64_t max_length) : max_length_(max_length) {}

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return Of(split).source.size(); }
  uint64_t fingerprint() const override { return fingerprint_; }
  absl::Span<const int32_t> labels(Split) const override { return {}; }

  // Tokens of the longer side, its end among them.
  int64_t cost(Split split, int64_t example) const override {
    return static_cast<int64_t>(
               std::max(Source(split, example).size(), Target(split, example).size())) +
           1;
  }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    const auto count = static_cast<int64_t>(examples.size());
    int64_t source_length = 0, target_length = 0;
    for (int64_t id : examples) {
      source_length = std::max(source_length, static_cast<int64_t>(Source(split, id).size()) + 1);
      target_length = std::max(target_length, static_cast<int64_t>(Target(split, id).size()) + 1);
    }
    out->size = count;
    out->fields.resize(spec_.fields.size());
    const auto source = ReserveField(out, 0, count, {source_length}, DType::kI64).as<int64_t>();
    const auto target_in = ReserveField(out, 1, count, {target_length}, DType::kI64).as<int64_t>();
    const auto target_out = ReserveField(out, 2, count, {target_length}, DType::kI64).as<int64_t>();
    for (int64_t i = 0; i < count; ++i) {
      const auto from = Source(split, examples[i]), to = Target(split, examples[i]);
      Fill({}, from, kEnd, source.subspan(i * source_length, source_length));
      Fill(kBegin, to, {}, target_in.subspan(i * target_length, target_length));
      Fill({}, to, kEnd, target_out.subspan(i * target_length, target_length));
    }
    return absl::OkStatus();
  }

  const Translations* translations() const override { return this; }

  absl::string_view Reference(Split split, int64_t example) const override {
    return Of(split).references.at(example);
  }
  std::string Text(absl::Span<const int64_t> tokens) const override {
    return TextOf(pieces_, tokens);
  }

 private:
  const SentencePairs& Of(Split split) const { return splits_[static_cast<int>(split)]; }
  absl::Span<const int32_t> Source(Split split, int64_t example) const {
    return Of(split).source.Get(example, max_length_ - 1);
  }
  absl::Span<const int32_t> Target(Split split, int64_t example) const {
    return Of(split).target.Get(example, max_length_ - 1);
  }

  // row <- `first` if given, tokens, `last` if given, padding.
  static void Fill(std::optional<int64_t> first, absl::Span<const int32_t> tokens,
                   std::optional<int64_t> last, absl::Span<int64_t> row) {
    auto to = row.begin();
    if (first) *to++ = *first;
    to = std::copy(tokens.begin(), tokens.end(), to);
    if (last) *to++ = *last;
    std::fill(to, row.end(), kPadding);
  }

  const int64_t max_length_;
  std::array<SentencePairs, 3> splits_;
  std::vector<std::string> pieces_;
  DataSpec spec_;
  uint64_t fingerprint_ = 0;
};

STARLING_REGISTER_PLUGIN(Dataset, Translation, TranslationConfig,
                         PluginFacts{"translation",
                                     "sentence pairs from parallel text files, as tokens",
                                     "Kudo and Richardson 2018 (SentencePiece)",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
