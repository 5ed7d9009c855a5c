// CIFAR-10 (Krizhevsky, "Learning multiple layers of features from tiny images", 2009), in its
// binary form: files of records of 3073 bytes, a label and 32 x 32 pixels in three planes (red,
// green, blue), each row by row. Format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary
// version".
//
//   value = (pixel / 255 - mean) / deviation      per colour, in double, rounded once to float32
//
// Augmentation as in He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR
// 2016, section 4.2: a training image is padded with 4 black pixels on each side, a random 32 x 32
// part is taken, and it is mirrored with probability 1/2. The draw depends on the batch's stream
// and the example's number alone.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/state.h"
#include "core/status.h"
#include "data/cifar10/cifar10.pb.h"
#include "data/data_directory.h"
#include "data/dataset.h"

namespace starling {
namespace {

constexpr int64_t kClasses = 10, kColours = 3, kSide = 32, kPadding = 4;
constexpr int64_t kPlane = kSide * kSide, kPixels = kColours * kPlane, kRecord = 1 + kPixels;
// Of the 50,000 training images, by colour; the test measures them.
constexpr double kMean[] = {0.4914, 0.4822, 0.4465}, kDeviation[] = {0.2470, 0.2435, 0.2616};

// Appends the images and labels of a file.
absl::Status ReadRecords(const std::string& path, std::vector<uint8_t>* pixels,
                         std::vector<int32_t>* labels) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  const auto size = static_cast<int64_t>(bytes.size());
  if (size == 0 || size % kRecord != 0) {
    return absl::DataLossError(absl::StrCat(path, " holds ", size, " bytes; it must hold records ",
                                            "of ", kRecord, " bytes, at least one"));
  }
  for (int64_t begin = 0; begin < size; begin += kRecord) {
    const auto label = static_cast<uint8_t>(bytes[begin]);
    if (label >= kClasses) {
      return absl::DataLossError(absl::StrCat(path, ": label ", begin / kRecord, " is ",
                                              static_cast<int>(label), "; labels are 0 to ",
                                              kClasses - 1));
    }
    labels->push_back(label);
    pixels->insert(pixels->end(), bytes.begin() + begin + 1, bytes.begin() + begin + kRecord);
  }
  return absl::OkStatus();
}

class Cifar10 final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const Cifar10Config& config,
                                                         const Dataset::Context&) {
    ASSIGN_OR_RETURN(
        const std::string directory,
        FindDataDirectory("cifar10", config.dir(),
                          {{"cifar10", "cifar-10", "cifar-10-batches-bin"},
                           /*elsewhere=*/"",
                           "download and unpack "
                           "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (170 MB)"}));
    auto data = std::make_unique<Cifar10>(config);
    for (int batch = 1; batch <= 5; ++batch) {
      RETURN_IF_ERROR(ReadRecords(absl::StrCat(directory, "/data_batch_", batch, ".bin"),
                                  &data->train_pixels_, &data->train_labels_));
    }
    RETURN_IF_ERROR(
        ReadRecords(directory + "/test_batch.bin", &data->test_pixels_, &data->test_labels_));
    const auto images = static_cast<int64_t>(data->train_labels_.size());
    if (config.validation_examples() >= images) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset \"cifar10\": validation_examples is ", config.validation_examples(),
                       "; it must be less than the ", images, " training images in ", directory));
    }
    data->train_size_ = images - config.validation_examples();
    data->ComputeFingerprint();
    return data;
  }

  explicit Cifar10(const Cifar10Config& config)
      : normalize_(config.normalize()), augment_(config.augment()) {
    spec_.fields = {{"image", {kColours, kSide, kSide}, DType::kF32}, {"label", {}, DType::kI64}};
    spec_.classes = kClasses;
    for (int64_t colour = 0; colour < kColours; ++colour) {
      for (int pixel = 0; pixel < 256; ++pixel) {
        const double value = pixel / 255.0;
        values_[colour][pixel] =
            static_cast<float>(normalize_ ? (value - kMean[colour]) / kDeviation[colour] : value);
      }
    }
  }

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return static_cast<int64_t>(labels(split).size()); }

  uint64_t fingerprint() const override { return fingerprint_; }

  absl::Span<const int32_t> labels(Split split) const override {
    if (split == Split::kTest) return test_labels_;
    const auto both = absl::MakeConstSpan(train_labels_);
    return split == Split::kTrain ? both.first(train_size_) : both.subspan(train_size_);
  }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t stream,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    const auto count = static_cast<int64_t>(examples.size());
    out->size = count;
    out->fields.resize(spec_.fields.size());
    const auto images = ReserveField(out, 0, count, spec_.fields[0].shape, DType::kF32).as<float>();
    const auto batch_labels = ReserveField(out, 1, count, {}, DType::kI64).as<int64_t>();
    const auto split_labels = labels(split);
    const uint8_t* first = split == Split::kTest ? test_pixels_.data() : train_pixels_.data();
    if (split == Split::kValidation) first += train_size_ * kPixels;
    for (int64_t i = 0; i < count; ++i) {
      View view;
      if (split == Split::kTrain && augment_) {
        Random random(StreamKey(stream, Purpose::kAugmentation, /*worker=*/0, examples[i]));
        view.down = random.Below(2 * kPadding + 1) - kPadding;
        view.right = random.Below(2 * kPadding + 1) - kPadding;
        view.mirrored = random.Below(2) == 1;
      }
      Write(first + examples[i] * kPixels, view, images.data() + i * kPixels);
      batch_labels[i] = split_labels[examples[i]];
    }
    return absl::OkStatus();
  }

 private:
  // Which part of the padded image is read: as many pixels further down and to the right.
  struct View {
    int64_t down = 0, right = 0;
    bool mirrored = false;
  };

  void Write(const uint8_t* pixels, const View& view, float* to) const {
    for (int64_t colour = 0; colour < kColours; ++colour) {
      const float* values = values_[colour];
      for (int64_t row = 0; row < kSide; ++row) {
        const int64_t y = row + view.down;
        for (int64_t column = 0; column < kSide; ++column) {
          const int64_t x = (view.mirrored ? kSide - 1 - column : column) + view.right;
          const bool inside = y >= 0 && y < kSide && x >= 0 && x < kSide;
          *to++ = values[inside ? pixels[(colour * kSide + y) * kSide + x] : 0];
        }
      }
    }
  }

  void ComputeFingerprint() {
    const Layout no_layout;
    DigestVisitor digest(&no_layout);
    CHECK_OK(digest.Visit("train pixels", AsBuffer(absl::MakeSpan(train_pixels_))));
    CHECK_OK(digest.Visit("train labels", AsBuffer(absl::MakeSpan(train_labels_))));
    CHECK_OK(digest.Visit("test pixels", AsBuffer(absl::MakeSpan(test_pixels_))));
    CHECK_OK(digest.Visit("test labels", AsBuffer(absl::MakeSpan(test_labels_))));
    fingerprint_ = CombineDigests({digest.digest(), static_cast<uint64_t>(train_size_),
                                   normalize_ ? 1u : 0u, augment_ ? 1u : 0u});
  }

  const bool normalize_, augment_;
  std::vector<uint8_t> train_pixels_, test_pixels_;  // validation is the end of the training files
  std::vector<int32_t> train_labels_, test_labels_;
  int64_t train_size_ = 0;
  uint64_t fingerprint_ = 0;
  DataSpec spec_;
  float values_[kColours][256];
};

STARLING_REGISTER_PLUGIN(Dataset, Cifar10, Cifar10Config,
                         PluginFacts{"cifar10",
                                     "60,000 colour images, 32 x 32, ten classes; binary form",
                                     "Krizhevsky 2009",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
