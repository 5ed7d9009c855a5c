#include "experiments/checkpoint_directory.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "core/checksum.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kManifestFile[] = "manifest.json";
constexpr char kLastFile[] = "last_checkpoint";
constexpr absl::string_view kStepPrefix = "step_";

std::string StepName(int64_t step) { return absl::StrFormat("%s%06d", kStepPrefix, step); }

std::string Hex(uint64_t number) { return absl::StrFormat("%016x", number); }

std::optional<uint64_t> ParseHex(absl::string_view text) {
  uint64_t number = 0;
  if (text.size() != 16 || !absl::SimpleHexAtoi(text, &number) || Hex(number) != text) {
    return std::nullopt;
  }
  return number;
}

// A JSON object gets a last field with the checksum of everything before it.
constexpr absl::string_view kSealBegin = ",\n  \"checksum\": \"", kSealEnd = "\"\n}\n";

std::string Sealed(const Json& json) {
  std::string text = json.dump(2);
  text.resize(text.size() - 2);  // "\n}"
  Crc64 crc;
  crc.Add(text);
  return absl::StrCat(text, kSealBegin, Hex(crc.value()), kSealEnd);
}

// The object, if not a bit of it has changed.
std::optional<Json> Unseal(absl::string_view text) {
  const size_t seal = kSealBegin.size() + 16 + kSealEnd.size();
  if (text.size() < seal) return std::nullopt;
  const absl::string_view body = text.substr(0, text.size() - seal);
  Crc64 crc;
  crc.Add(body);
  if (text.substr(body.size()) != absl::StrCat(kSealBegin, Hex(crc.value()), kSealEnd)) {
    return std::nullopt;
  }
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return std::nullopt;
  return json;
}

absl::Status Missing(const std::string& path) {
  return absl::DataLossError(absl::StrCat(path, " is missing"));
}

}  // namespace

std::string WorkerFile(int worker) { return absl::StrCat("worker_", worker, ".safetensors"); }

CheckpointDirectory::CheckpointDirectory(const std::string& run_directory)
    : run_directory_(run_directory), path_((fs::path(run_directory) / "checkpoints").string()) {}

std::string CheckpointDirectory::Path(int64_t step) const {
  return (fs::path(path_) / StepName(step)).string();
}

std::string CheckpointDirectory::Path(int64_t step, const std::string& file) const {
  return (fs::path(Path(step)) / file).string();
}

int64_t CheckpointDirectory::StepOf(const std::string& path) {
  const fs::path trimmed =
      fs::path(path).has_filename() ? fs::path(path) : fs::path(path).parent_path();
  const std::string name = trimmed.filename().string();
  int64_t step = -1;
  if (!absl::StartsWith(name, kStepPrefix) ||
      !absl::SimpleAtoi(name.substr(kStepPrefix.size()), &step) || step < 0 ||
      StepName(step) != name) {
    return -1;
  }
  return step;
}

absl::Status CheckpointDirectory::Begin(int64_t step) const {
  std::error_code error;
  fs::create_directories(Path(step), error);
  return error ? FileError(error.value(), "make", Path(step)) : absl::OkStatus();
}

absl::Status CheckpointDirectory::Commit(const CheckpointManifest& manifest) const {
  Json json;
  json["step"] = manifest.step;
  json["workers"] = manifest.workers;
  json["data_fingerprint"] = manifest.data;
  json["partition_fingerprint"] = manifest.partition;
  json["metrics"] = manifest.metrics;
  Json files = Json::object();
  for (const auto& [file, checksum] : manifest.checksums) files[file] = Hex(checksum);
  json["crc64"] = std::move(files);
  json["config"] = manifest.config;
  RETURN_IF_ERROR(WriteFileAtomically(Path(manifest.step, kManifestFile), Sealed(json)));
  return WriteFileAtomically((fs::path(path_) / kLastFile).string(),
                             absl::StrCat(StepName(manifest.step), "\n"));
}

std::vector<int64_t> CheckpointDirectory::Directories() const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    const int64_t step = StepOf(entry.path().string());
    if (step >= 0) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<int64_t>());
  return steps;
}

std::vector<int64_t> CheckpointDirectory::Steps() const {
  std::vector<int64_t> steps;
  for (int64_t step : Directories()) {
    std::error_code error;
    if (fs::exists(Path(step, kManifestFile), error)) steps.push_back(step);
  }
  return steps;
}

absl::StatusOr<CheckpointManifest> CheckpointDirectory::ReadManifest(int64_t step) const {
  const std::string path = Path(step, kManifestFile);
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Missing(path);
  RETURN_IF_ERROR(text.status());
  const absl::Status damaged =
      absl::DataLossError(absl::StrCat(path, " is damaged: its checksum does not fit"));
  const auto json = Unseal(*text);
  if (!json) return damaged;
  CheckpointManifest manifest;
  try {
    manifest.step = json->at("step").get<int64_t>();
    manifest.workers = json->at("workers").get<int>();
    manifest.data = json->at("data_fingerprint").get<std::string>();
    manifest.partition = json->at("partition_fingerprint").get<std::string>();
    manifest.metrics = json->at("metrics").get<std::map<std::string, std::string>>();
    manifest.config = json->at("config").get<std::string>();
    for (const auto& [file, checksum] : json->at("crc64").items()) {
      const auto number = ParseHex(checksum.get<std::string>());
      if (!number) return damaged;
      manifest.checksums[file] = *number;
    }
  } catch (const Json::exception& error) {
    return absl::DataLossError(
        absl::StrCat(path, " is no manifest of a checkpoint: ", error.what()));
  }
  if (manifest.step != step) {
    return absl::DataLossError(absl::StrCat(path, " is that of step ", manifest.step));
  }
  return manifest;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> CheckpointDirectory::OpenFile(
    const CheckpointManifest& manifest, const std::string& file) const {
  const std::string path = Path(manifest.step, file);
  auto opened = SafetensorsFile::Open(path);
  if (absl::IsNotFound(opened.status())) return Missing(path);
  if (absl::IsInvalidArgument(opened.status())) {
    return absl::DataLossError(opened.status().message());
  }
  RETURN_IF_ERROR(opened.status());
  const auto expected = manifest.checksums.find(file);
  const uint64_t checksum = (*opened)->checksum();
  if (expected == manifest.checksums.end() || expected->second != checksum) {
    return absl::DataLossError(absl::StrCat(
        path, " is damaged: its checksum is ", Hex(checksum), ", but was ",
        expected == manifest.checksums.end() ? "none" : Hex(expected->second), " when written"));
  }
  return opened;
}

absl::Status CheckpointDirectory::CheckFiles(const CheckpointManifest& manifest) const {
  std::vector<std::string> files;
  for (const auto& [file, checksum] : manifest.checksums) files.push_back(file);
  std::vector<absl::Status> found(files.size());
  std::atomic<size_t> next{0};
  const auto check = [&] {
    for (size_t i = next++; i < files.size(); i = next++) {
      found[i] = OpenFile(manifest, files[i]).status();
    }
  };
  std::vector<std::thread> threads;
  const size_t count = std::min<size_t>(files.size(), std::thread::hardware_concurrency());
  for (size_t i = 1; i < count; ++i) threads.emplace_back(check);
  check();
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : found) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

// The manifest first: what is half removed does not count.
absl::Status CheckpointDirectory::Remove(int64_t step) const {
  std::error_code error;
  fs::remove(Path(step, kManifestFile), error);
  if (!error) fs::remove_all(Path(step), error);
  return error ? FileError(error.value(), "remove", Path(step)) : absl::OkStatus();
}

absl::Status CheckpointDirectory::Prune(int keep) const {
  const std::vector<int64_t> steps = Steps();
  for (size_t i = keep; i < steps.size(); ++i) RETURN_IF_ERROR(Remove(steps[i]));
  return absl::OkStatus();
}

absl::Status CheckpointDirectory::RemoveAfter(int64_t step) const {
  const std::vector<int64_t> committed = Steps();
  for (int64_t found : Directories()) {
    const bool counts = std::find(committed.begin(), committed.end(), found) != committed.end();
    if (found > step || !counts) RETURN_IF_ERROR(Remove(found));
  }
  return absl::OkStatus();
}

}  // namespace starling
