#include "experiments/digest_trail.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/run/metrics.h"
#include "core/state.h"
#include "core/status.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::shared_ptr<const std::vector<std::string>>;

constexpr size_t kDigits = 16;

// Called for each tensor of both, in a's order and then b's; null: that one has none.
template <typename Body>
void ForEachTensor(const DigestTrail::State& a, const DigestTrail::State& b, const Body& body) {
  std::map<std::string, uint64_t> others;
  for (size_t i = 0; i < b.digests.size(); ++i) others[(*b.tensors)[i]] = b.digests[i];
  for (size_t i = 0; i < a.digests.size(); ++i) {
    const auto other = others.find((*a.tensors)[i]);
    body((*a.tensors)[i], other != others.end() && other->second == a.digests[i]);
    if (other != others.end()) others.erase(other);
  }
  for (const auto& [name, digest] : others) body(name, false);
}

absl::Status ReadLine(absl::string_view line, std::map<std::string, Names>* names,
                      DigestTrail* trail) {
  const auto damaged = [](absl::string_view what) { return absl::DataLossError(what); };
  try {
    const Json json = Json::parse(line.begin(), line.end());
    const std::string key = json.at("names").get<std::string>();
    if (json.contains("tensors")) {
      (*names)[key] = std::make_shared<const std::vector<std::string>>(
          json.at("tensors").get<std::vector<std::string>>());
      return absl::OkStatus();
    }
    DigestTrail::State state;
    state.tensors = (*names)[key];
    const std::string digests = json.at("digests").get<std::string>();
    if (state.tensors == nullptr) return damaged("it refers to names that no line before it has");
    if (digests.size() != state.tensors->size() * kDigits) return damaged("its digests are cut");
    for (size_t i = 0; i < digests.size(); i += kDigits) {
      uint64_t digest = 0;
      if (!absl::SimpleHexAtoi(digests.substr(i, kDigits), &digest)) {
        return damaged("its digests are not hexadecimal");
      }
      state.digests.push_back(digest);
    }
    trail->steps[json.at("step").get<int64_t>()][json.at("worker").get<int>()] = std::move(state);
  } catch (const Json::exception& error) {
    return damaged(error.what());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DigestTrailWriter>> DigestTrailWriter::Open(
    const std::string& path, const std::string& position) {
  ASSIGN_OR_RETURN(auto file, AppendFile::Open(path, SizeAt(position)));
  return std::unique_ptr<DigestTrailWriter>(new DigestTrailWriter(std::move(file)));
}

absl::Status DigestTrailWriter::Record(int64_t step, int worker, const TensorDigests& digests) {
  Json names = Json::array();
  std::string hex;
  hex.reserve(digests.size() * kDigits);
  for (const auto& [name, digest] : digests) {
    names.push_back(name);
    absl::StrAppend(&hex, absl::Hex(digest, absl::kZeroPad16));
  }
  const std::string list = names.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string key = absl::StrFormat("%016x", DigestBytes(list));
  std::string lines;
  // A run that goes on may say again what it has said: readers do not mind.
  const bool is_new = written_.count(key) == 0;
  if (is_new) lines = absl::StrCat("{\"names\":\"", key, "\",\"tensors\":", list, "}\n");
  absl::StrAppend(&lines, "{\"step\":", step, ",\"worker\":", worker, ",\"names\":\"", key,
                  "\",\"digests\":\"", hex, "\"}\n");
  RETURN_IF_ERROR(file_->Append(lines));
  if (is_new) written_.insert(key);
  return absl::OkStatus();
}

std::string DigestTrailWriter::position() const { return absl::StrCat(file_->size()); }

absl::Status DigestTrailWriter::Flush() { return file_->Sync(); }

absl::StatusOr<DigestTrail> ReadDigestTrail(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  DigestTrail trail;
  std::map<std::string, Names> names;
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    RETURN_IF_ERROR(WithContext(ReadLine(line, &names, &trail), absl::StrCat(path, ":", number)));
  }
  return trail;
}

namespace {

std::optional<TrailDifference> CompareStep(const std::map<int, DigestTrail::State>& a,
                                           const std::map<int, DigestTrail::State>& b) {
  TrailDifference difference;
  std::set<int> workers;
  for (const auto& [worker, state] : a) workers.insert(worker);
  for (const auto& [worker, state] : b) workers.insert(worker);
  difference.workers = static_cast<int>(workers.size());
  const DigestTrail::State nothing;
  for (const int worker : workers) {
    const auto in_a = a.find(worker), in_b = b.find(worker);
    if (in_a != a.end() && in_b != b.end() && in_a->second.digests == in_b->second.digests &&
        *in_a->second.tensors == *in_b->second.tensors) {
      difference.tensors += static_cast<int64_t>(in_a->second.digests.size());
      continue;
    }
    int64_t differing = 0;
    ForEachTensor(in_a == a.end() ? nothing : in_a->second,
                  in_b == b.end() ? nothing : in_b->second,
                  [&](const std::string& tensor, bool equal) {
                    ++difference.tensors;
                    if (equal) return;
                    if (difference.differing_tensors + differing == 0) {
                      difference.worker = worker;
                      difference.tensor = tensor;
                    }
                    ++differing;
                  });
    difference.differing_tensors += differing;
    if (differing > 0) ++difference.differing_workers;
  }
  if (difference.differing_tensors == 0) return std::nullopt;
  return difference;
}

}  // namespace

TrailComparison Compare(const DigestTrail& a, const DigestTrail& b, int64_t from, int64_t until) {
  TrailComparison comparison;
  int64_t equal_step = 0;
  for (auto step = a.steps.lower_bound(from); step != a.steps.end() && step->first <= until;
       ++step) {
    const auto other = b.steps.find(step->first);
    if (other == b.steps.end()) continue;
    comparison.difference = CompareStep(step->second, other->second);
    if (comparison.difference) {
      comparison.difference->step = step->first;
      comparison.difference->equal_step = equal_step;
      return comparison;
    }
    equal_step = step->first;
    ++comparison.steps;
  }
  return comparison;
}

}  // namespace starling
