#include "data/token_windows.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/random/random.h"
#include "core/state.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr int64_t kIdBytes = 2;

int64_t IdAt(const MappedFile& file, int64_t position) {
  uint16_t id;
  std::memcpy(&id, file.bytes().data() + kIdBytes * position, kIdBytes);
  return id;
}

uint64_t FingerprintOf(absl::string_view bytes) {
  constexpr size_t kBlock = 1 << 16, kBlocks = 1 << 10;
  std::vector<uint64_t> digests = {bytes.size()};
  const size_t blocks = std::min(kBlocks, (bytes.size() + kBlock - 1) / kBlock);
  for (size_t i = 0; i < blocks; ++i) {
    const size_t last = bytes.size() - std::min(kBlock, bytes.size());
    const size_t begin = std::min(i * std::max(kBlock, bytes.size() / kBlocks), last);
    digests.push_back(DigestBytes(bytes.substr(begin, kBlock)));
  }
  return CombineDigests(digests);
}

}  // namespace

absl::StatusOr<TokenWindows::Tokens> TokenWindows::Tokens::Open(const std::string& path,
                                                                int64_t expected) {
  ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  const auto bytes = static_cast<int64_t>(file->bytes().size());
  if (bytes % kIdBytes != 0) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", bytes, " bytes; token ids of two bytes make an even number"));
  }
  if (expected != 0 && bytes / kIdBytes != expected) {
    return absl::DataLossError(absl::StrCat(path, " holds ", bytes / kIdBytes, " tokens, but ",
                                            expected, " are expected"));
  }
  return Tokens{path, std::move(file), 0, bytes / kIdBytes};
}

absl::StatusOr<std::unique_ptr<Dataset>> TokenWindows::Open(
    absl::string_view name, const absl::StatusOr<std::string>& directory,
    const TokenWindowsOptions& options) {
  const std::string title = absl::StrCat("dataset \"", name, "\"");
  const int64_t train = options.expected_train, val = options.expected_val;
  std::vector<Tokens> splits;
  if (absl::IsNotFound(directory.status()) && train > 0 && val > 0) {
    splits = {{"train.bin", nullptr, 0, train}, {"val.bin", nullptr, 0, val}};
  } else {
    RETURN_IF_ERROR(directory.status());
    const std::pair<const char*, int64_t> files[] = {
        {"train.bin", train}, {"val.bin", val}, {"test.bin", 0}};
    for (const auto& [file, expected] : files) {
      auto tokens = Tokens::Open(absl::StrCat(*directory, "/", file), expected);
      if (absl::IsNotFound(tokens.status()) && splits.size() == 2) break;
      RETURN_IF_ERROR(WithContext(tokens.status(), title));
      splits.push_back(*std::move(tokens));
    }
  }
  if (splits.size() == 2) {
    splits.push_back(splits[1]);
    splits[1].count /= 2;
    splits[2].first = splits[1].count;
    splits[2].count -= splits[1].count;
  }
  if (splits[0].count <= options.context) {
    return absl::InvalidArgumentError(absl::StrCat(
        title, ": ", splits[0].path, " holds ", splits[0].count, " tokens; a window of context ",
        options.context, " takes ", options.context + 1));
  }
  return std::unique_ptr<Dataset>(new TokenWindows(directory.status(), std::move(splits), options));
}

TokenWindows::TokenWindows(absl::Status missing, std::vector<Tokens> splits,
                           const TokenWindowsOptions& options)
    : missing_(std::move(missing)), splits_(std::move(splits)), options_(options) {
  for (const char* field : {"tokens", "targets"}) {
    spec_.fields.push_back({field, {options.context}, DType::kI64});
  }
  spec_.vocabulary = options.vocabulary;
  std::vector<uint64_t> digests = {static_cast<uint64_t>(options.context),
                                   static_cast<uint64_t>(options.vocabulary),
                                   options.random_offsets ? 1u : 0u};
  for (const Tokens& tokens : splits_) {
    if (tokens.file == nullptr) continue;
    digests.push_back(FingerprintOf(
        tokens.file->bytes().substr(kIdBytes * tokens.first, kIdBytes * tokens.count)));
  }
  fingerprint_ = CombineDigests(digests);
}

int64_t TokenWindows::size(Split split) const {
  return std::max<int64_t>(splits_[static_cast<int>(split)].count - 1, 0) / options_.context;
}

absl::Status TokenWindows::Read(Split split, absl::Span<const int64_t> examples, uint64_t stream,
                                Batch* out) const {
  RETURN_IF_ERROR(CheckExamples(*this, split, examples));
  RETURN_IF_ERROR(missing_);
  const int64_t context = options_.context;
  const auto count = static_cast<int64_t>(examples.size());
  out->size = count;
  out->fields.resize(spec_.fields.size());
  int64_t* inputs = ReserveField(out, 0, count, {context}, DType::kI64).as<int64_t>().data();
  int64_t* targets = ReserveField(out, 1, count, {context}, DType::kI64).as<int64_t>().data();

  const Tokens& tokens = splits_[static_cast<int>(split)];
  for (const int64_t example : examples) {
    int64_t begin = example * context;
    if (options_.random_offsets && split == Split::kTrain) {
      Random random(StreamKey(stream, Purpose::kAugmentation, /*worker=*/0, example));
      begin += random.Below(std::min(context, tokens.count - context - begin));
    }
    for (int64_t i = 0; i <= context; ++i) {
      const int64_t position = tokens.first + begin + i;
      const int64_t id = IdAt(*tokens.file, position);
      if (id >= options_.vocabulary) {
        return absl::DataLossError(absl::StrCat(tokens.path, ": token ", position, " is ", id,
                                                "; ids are below the vocabulary, ",
                                                options_.vocabulary));
      }
      if (i < context) inputs[i] = id;
      if (i > 0) targets[i - 1] = id;
    }
    inputs += context;
    targets += context;
  }
  return absl::OkStatus();
}

}  // namespace starling
