// Fashion-MNIST (Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
// Machine Learning Algorithms", 2017), or any data in the file format of MNIST with ten classes.
//
//   value = (pixel / 255 - 0.2860) / 0.3530      computed in double, rounded once to float32
//
// Pixels stay bytes in memory (47 MB instead of 188 MB) and become floats, through a table of the
// 256 possible values, when a batch is read.
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/registry.h"
#include "core/state.h"
#include "core/status.h"
#include "data/data_directory.h"
#include "data/dataset.h"
#include "data/fashion_mnist/fashion_mnist.pb.h"
#include "data/idx.h"

namespace starling {
namespace {

constexpr int64_t kClasses = 10;
// Of the 60,000 x 784 training pixels divided by 255; the test measures them.
constexpr double kMean = 0.2860, kStandardDeviation = 0.3530;
constexpr char kDebianDirectory[] = "/usr/share/datasets/fashion-mnist";
constexpr char kInstall[] = "`apt-get install dataset-fashion-mnist`";

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

absl::StatusOr<std::string> FindDirectory(const std::string& configured) {
  return FindDataDirectory("fashion_mnist", configured,
                           {{"fashion_mnist", "fashion-mnist"},
                            kDebianDirectory,
                            absl::StrCat("install Debian's with ", kInstall)});
}

// Path of e.g. train-images-idx3-ubyte in one of its usual spellings.
absl::StatusOr<std::string> FindFile(const std::string& directory, absl::string_view what,
                                     int axes) {
  const std::string dashed = absl::StrCat(what, "-idx", axes, "-ubyte");
  const std::string dotted = absl::StrCat(what, ".idx", axes, "-ubyte");
  for (const std::string& name : {dashed, absl::StrCat(dashed, ".gz"),  //
                                  dotted, absl::StrCat(dotted, ".gz")}) {
    const std::string path = absl::StrCat(directory, "/", name);
    if (Exists(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat(
      "dataset \"fashion_mnist\": no ", dashed, " in ", directory, ", with or without .gz, nor ",
      dotted, "; ", kInstall, " puts all four files into ", kDebianDirectory));
}

// The images and labels of a training or test file pair.
struct FilePair {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;  // [image][row][column]
  std::vector<int32_t> labels;
};

// `which` is "train" or "t10k".
absl::StatusOr<FilePair> ReadPair(const std::string& directory, absl::string_view which) {
  ASSIGN_OR_RETURN(const std::string images_path,
                   FindFile(directory, absl::StrCat(which, "-images"), 3));
  ASSIGN_OR_RETURN(const std::string labels_path,
                   FindFile(directory, absl::StrCat(which, "-labels"), 1));
  ASSIGN_OR_RETURN(const IdxArray labels, ReadIdx(labels_path, 1));
  ASSIGN_OR_RETURN(IdxArray images, ReadIdx(images_path, 3));
  if (images.shape[0] != labels.shape[0]) {
    return absl::DataLossError(absl::StrCat(labels_path, " holds ", labels.shape[0],
                                            " labels, but ", images_path, " holds ",
                                            images.shape[0], " images"));
  }
  if (images.values.empty()) {
    return absl::DataLossError(absl::StrCat(images_path, " holds no pixels: its shape is ",
                                            absl::StrJoin(images.shape, " x ")));
  }
  for (size_t i = 0; i < labels.values.size(); ++i) {
    if (labels.values[i] < kClasses) continue;
    return absl::DataLossError(absl::StrCat(labels_path, ": label ", i, " is ",
                                            static_cast<int>(labels.values[i]),
                                            "; labels are 0 to ", kClasses - 1));
  }
  FilePair pair;
  pair.height = images.shape[1];
  pair.width = images.shape[2];
  pair.pixels = std::move(images.values);
  pair.labels.assign(labels.values.begin(), labels.values.end());
  return pair;
}

class FashionMnist final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const FashionMnistConfig& config,
                                                         const Dataset::Context&) {
    ASSIGN_OR_RETURN(const std::string directory, FindDirectory(config.dir()));
    ASSIGN_OR_RETURN(FilePair train, ReadPair(directory, "train"));
    ASSIGN_OR_RETURN(FilePair test, ReadPair(directory, "t10k"));
    if (train.height != test.height || train.width != test.width) {
      return absl::DataLossError(absl::StrCat(
          "dataset \"fashion_mnist\": in ", directory, " training images are ", train.height, " x ",
          train.width, " pixels, but test images ", test.height, " x ", test.width));
    }
    const auto images = static_cast<int64_t>(train.labels.size());
    if (config.validation_examples() >= images) {
      return absl::InvalidArgumentError(absl::StrCat(
          "dataset \"fashion_mnist\": validation_examples is ", config.validation_examples(),
          "; it must be less than the ", images, " training images in ", directory));
    }
    return std::make_unique<FashionMnist>(config, std::move(train), std::move(test));
  }

  FashionMnist(const FashionMnistConfig& config, FilePair train, FilePair test)
      : train_(std::move(train)), test_(std::move(test)) {
    train_size_ = static_cast<int64_t>(train_.labels.size()) - config.validation_examples();
    image_size_ = train_.height * train_.width;
    spec_.fields = {{"image", {1, train_.height, train_.width}, DType::kF32},
                    {"label", {}, DType::kI64}};
    spec_.classes = kClasses;
    for (int pixel = 0; pixel < 256; ++pixel) {
      const double value = pixel / 255.0;
      values_[pixel] =
          static_cast<float>(config.normalize() ? (value - kMean) / kStandardDeviation : value);
    }

    const Layout no_layout;
    DigestVisitor digest(&no_layout);
    CHECK_OK(digest.Visit("train pixels", AsBuffer(absl::MakeSpan(train_.pixels))));
    CHECK_OK(digest.Visit("train labels", AsBuffer(absl::MakeSpan(train_.labels))));
    CHECK_OK(digest.Visit("test pixels", AsBuffer(absl::MakeSpan(test_.pixels))));
    CHECK_OK(digest.Visit("test labels", AsBuffer(absl::MakeSpan(test_.labels))));
    fingerprint_ =
        CombineDigests({digest.digest(), static_cast<uint64_t>(train_.height),
                        static_cast<uint64_t>(train_size_), config.normalize() ? 1u : 0u});
  }

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return static_cast<int64_t>(labels(split).size()); }
  uint64_t fingerprint() const override { return fingerprint_; }

  absl::Span<const int32_t> labels(Split split) const override {
    if (split == Split::kTest) return test_.labels;
    const auto both = absl::MakeConstSpan(train_.labels);
    return split == Split::kTrain ? both.first(train_size_) : both.subspan(train_size_);
  }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    const auto count = static_cast<int64_t>(examples.size());
    out->size = count;
    out->fields.resize(spec_.fields.size());
    const auto images = ReserveField(out, 0, count, spec_.fields[0].shape, DType::kF32).as<float>();
    const auto batch_labels = ReserveField(out, 1, count, {}, DType::kI64).as<int64_t>();

    const uint8_t* first = split == Split::kTest ? test_.pixels.data() : train_.pixels.data();
    if (split == Split::kValidation) first += train_size_ * image_size_;
    const auto split_labels = labels(split);
    float* to = images.data();
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* pixels = first + examples[i] * image_size_;
      for (int64_t p = 0; p < image_size_; ++p) *to++ = values_[pixels[p]];
      batch_labels[i] = split_labels[examples[i]];
    }
    return absl::OkStatus();
  }

 private:
  FilePair train_, test_;  // validation is the end of train_
  int64_t train_size_ = 0;
  int64_t image_size_ = 0;  // pixels
  DataSpec spec_;
  float values_[256];
  uint64_t fingerprint_ = 0;
};

STARLING_REGISTER_PLUGIN(Dataset, FashionMnist, FashionMnistConfig,
                         PluginFacts{"fashion_mnist",
                                     "70,000 images of clothes, 28 x 28, ten classes; or any "
                                     "files in MNIST's format",
                                     "Xiao et al. 2017",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
