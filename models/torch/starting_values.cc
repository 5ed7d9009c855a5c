#include "models/torch/starting_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/random/random.h"

namespace starling {
namespace {

template <typename T>
void Draw(const StartingDistribution& distribution, uint64_t stream, absl::Span<T> out) {
  Random random(stream);
  const auto draw = [&] {
    if (distribution.deviation != 0) return distribution.deviation * random.Normal();
    return distribution.bound * (2.0 * random.Uniform() - 1.0);
  };
  for (T& value : out) value = static_cast<T>(distribution.constant + draw());
}

}  // namespace

absl::StatusOr<std::vector<StartingDistribution>> StartingDistributions(
    const Layout& layout, const StartingChoice& choice) {
  std::map<std::string, const TensorInfo*> tensors;
  for (const TensorInfo& tensor : layout.tensors) tensors[tensor.name] = &tensor;
  std::vector<StartingDistribution> distributions;
  for (const TensorInfo& tensor : layout.tensors) {
    if (choice) {
      if (const auto chosen = choice(tensor)) {
        distributions.push_back(*chosen);
        continue;
      }
    }
    const size_t dot = tensor.name.rfind('.');
    const std::string layer = dot == std::string::npos ? "" : tensor.name.substr(0, dot + 1);
    const auto found = tensors.find(layer + "weight");
    if (found == tensors.end() ||
        (tensor.name != layer + "weight" && tensor.name != layer + "bias")) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor \"", tensor.name,
                       "\" has no rule for its starting values; layers have tensors \"weight\" and "
                       "\"bias\""));
    }
    const TensorInfo& weight = *found->second;
    StartingDistribution distribution;
    if (weight.shape.size() >= 2) {
      const int64_t fan_in = weight.count / std::max<int64_t>(weight.shape[0], 1);
      distribution.bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
    } else if (&tensor == &weight) {
      distribution.constant = 1;
    }
    distributions.push_back(distribution);
  }
  return distributions;
}

void DrawStartingValues(const Layout& layout,
                        const std::vector<StartingDistribution>& distributions, uint64_t stream,
                        Buffer x) {
  std::memset(x.data, 0, static_cast<size_t>(x.bytes()));
  std::vector<int> by_name(layout.tensors.size());
  std::iota(by_name.begin(), by_name.end(), 0);
  std::sort(by_name.begin(), by_name.end(),
            [&layout](int a, int b) { return layout.tensors[a].name < layout.tensors[b].name; });
  for (size_t i = 0; i < by_name.size(); ++i) {
    const TensorInfo& tensor = layout.tensors[by_name[i]];
    const Buffer values = x.Slice(tensor.offset, tensor.count);
    const uint64_t key =
        StreamKey(stream, Purpose::kInitialization, /*worker=*/0, static_cast<int64_t>(i));
    if (x.type == DType::kF32) {
      Draw(distributions[by_name[i]], key, values.as<float>());
    } else {
      Draw(distributions[by_name[i]], key, values.as<double>());
    }
  }
}

}  // namespace starling
