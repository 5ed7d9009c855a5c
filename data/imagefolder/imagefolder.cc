// Images in one directory per class, as ImageNet is laid out (Deng et al., "ImageNet: a large-scale
// hierarchical image database", CVPR 2009):
//
//   <dir>/train/<class>/<anything>.jpg       .jpeg, .png; in any case
//   <dir>/val/<class>/<anything>.jpg
//
//   training    a random part (data/image/crop.h), scaled to train_crop^2, mirrored with
//               probability 1/2
//   otherwise   scaled so that the shorter side is eval_resize, of which the central eval_crop^2
//
//   value = (v / 255 - mean) / deviation      per colour, with v from data/image/resize.h
//
// The directories are listed once; files are read, decoded and scaled when a batch asks for them.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/state.h"
#include "core/status.h"
#include "data/data_directory.h"
#include "data/dataset.h"
#include "data/image/crop.h"
#include "data/image/decode.h"
#include "data/image/resize.h"
#include "data/imagefolder/imagefolder.pb.h"

namespace starling {
namespace {

constexpr int64_t kColours = 3;
// Of ImageNet's training images, by colour: the values that torchvision's models are used with.
constexpr double kMean[] = {0.485, 0.456, 0.406}, kDeviation[] = {0.229, 0.224, 0.225};

struct File {
  int32_t label = 0;
  std::string name;  // in its class's directory
};

// What train/ or val/ holds.
struct Folder {
  std::vector<std::string> classes;  // sorted; a label is a place in them
  std::vector<File> files;           // sorted by label, then by name
  std::string listing;               // names and sizes, for the fingerprint
};

bool IsImage(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  return name[0] != '.' && (absl::EndsWith(lower, ".jpg") || absl::EndsWith(lower, ".jpeg") ||
                            absl::EndsWith(lower, ".png"));
}

absl::StatusOr<std::vector<std::filesystem::directory_entry>> List(const std::string& directory) {
  std::vector<std::filesystem::directory_entry> entries;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(directory, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    entries.push_back(*entry);
  }
  if (error) return FileError(error.value(), "read the directory", directory);
  std::sort(entries.begin(), entries.end());
  return entries;
}

absl::StatusOr<Folder> Scan(const std::string& directory) {
  Folder folder;
  ASSIGN_OR_RETURN(const auto classes, List(directory));
  for (const auto& entry : classes) {
    if (!entry.is_directory()) continue;
    const auto label = static_cast<int32_t>(folder.classes.size());
    const std::string name = entry.path().filename();
    folder.classes.push_back(name);
    ASSIGN_OR_RETURN(const auto files, List(entry.path()));
    const size_t before = folder.files.size();
    for (const auto& file : files) {
      const std::string file_name = file.path().filename();
      if (!IsImage(file_name)) continue;
      std::error_code error;
      const auto size = file.file_size(error);
      if (error) return FileError(error.value(), "read", file.path().string());
      folder.files.push_back({label, file_name});
      absl::StrAppend(&folder.listing, name, "/", file_name, " ", size, "\n");
    }
    if (folder.files.size() == before) {
      return absl::DataLossError(absl::StrCat("the class directory ", entry.path().string(),
                                              " holds no image (.jpg, .jpeg or .png)"));
    }
  }
  if (folder.classes.size() < 2) {
    return absl::DataLossError(
        absl::StrCat(directory, " holds ", folder.classes.size(),
                     " class directories; it must hold at least 2, with images in them"));
  }
  return folder;
}

// Gives val the labels of train's classes.
absl::Status AlignClasses(const std::string& directory, const Folder& train, Folder* val) {
  std::vector<int32_t> labels;
  for (const std::string& name : val->classes) {
    const auto found = std::lower_bound(train.classes.begin(), train.classes.end(), name);
    if (found == train.classes.end() || *found != name) {
      return absl::DataLossError(
          absl::StrCat(directory, "/val/", name, " is a class that train does not have"));
    }
    labels.push_back(static_cast<int32_t>(found - train.classes.begin()));
  }
  for (File& file : val->files) file.label = labels[file.label];
  val->classes = train.classes;
  return absl::OkStatus();
}

class Imagefolder final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(const ImagefolderConfig& config,
                                                         const Dataset::Context&) {
    if (config.eval_crop() > config.eval_resize()) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset \"imagefolder\": eval_crop is ", config.eval_crop(),
                       "; it must be at most eval_resize, which is ", config.eval_resize()));
    }
    auto data = std::make_unique<Imagefolder>(config);
    const auto directory = FindDataDirectory(
        "imagefolder", config.dir(),
        {{"imagefolder", "imagenet"}, /*elsewhere=*/"", "put train/CLASS/* and val/CLASS/* there"});
    const bool is_declared = config.expected_classes() > 1 && config.expected_train_images() > 0 &&
                             config.expected_val_images() > 0;
    if (absl::IsNotFound(directory.status()) && is_declared) {
      data->missing_ = directory.status();
      data->Declare();
    } else {
      RETURN_IF_ERROR(directory.status());
      RETURN_IF_ERROR(data->Load(*directory));
    }
    data->DealOut();
    if (data->size(Split::kTrain) == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "dataset \"imagefolder\": validation_fraction ", config.validation_fraction(),
          " leaves none of the ", data->train_.files.size(), " images of train to train on"));
    }
    return data;
  }

  explicit Imagefolder(const ImagefolderConfig& config) : config_(config) {}

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return static_cast<int64_t>(labels(split).size()); }
  uint64_t fingerprint() const override { return fingerprint_; }
  absl::Status Available() const override { return missing_; }

  absl::Span<const int32_t> labels(Split split) const override {
    return labels_[static_cast<int>(split)];
  }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t stream,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    RETURN_IF_ERROR(missing_);
    const auto count = static_cast<int64_t>(examples.size());
    const int64_t side = split == Split::kTrain ? config_.train_crop() : config_.eval_crop();
    const int64_t values = kColours * side * side;
    out->size = count;
    out->fields.resize(spec_.fields.size());
    const auto images = ReserveField(out, 0, count, {kColours, side, side}, DType::kF32);
    const auto batch_labels = ReserveField(out, 1, count, {}, DType::kI64).as<int64_t>();
    for (int64_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(const Image image, Decode(split, examples[i]));
      const auto to = images.as<float>().subspan(i * values, values);
      bool mirrored = false;
      if (split == Split::kTrain) {
        Random random(StreamKey(stream, Purpose::kAugmentation, /*worker=*/0, examples[i]));
        const Box part = RandomPart(image.width, image.height, &random);
        ResizeBilinear(image, part, side, side, {0, 0, side, side}, to);
        mirrored = random.Below(2) == 1;
      } else {
        const Box whole = {0, 0, image.width, image.height};
        const Box scaled = ScaledToShortSide(image.width, image.height, config_.eval_resize());
        ResizeBilinear(image, whole, scaled.width, scaled.height,
                       CentralPart(scaled.width, scaled.height, side), to);
      }
      Normalize(side, mirrored, to);
      batch_labels[i] = labels(split)[examples[i]];
    }
    return absl::OkStatus();
  }

 private:
  // Lists the files below `directory`.
  absl::Status Load(const std::string& directory) {
    directory_ = directory;
    ASSIGN_OR_RETURN(train_, Scan(directory + "/train"));
    ASSIGN_OR_RETURN(val_, Scan(directory + "/val"));
    RETURN_IF_ERROR(AlignClasses(directory, train_, &val_));
    const std::tuple<const char*, int64_t, size_t> checks[] = {
        {"classes", config_.expected_classes(), train_.classes.size()},
        {"train_images", config_.expected_train_images(), train_.files.size()},
        {"val_images", config_.expected_val_images(), val_.files.size()}};
    for (const auto& [what, expected, found] : checks) {
      if (expected == 0 || static_cast<size_t>(expected) == found) continue;
      return absl::DataLossError(absl::StrCat("dataset \"imagefolder\": ", directory, " has ",
                                              found, " ", what, ", but expected_", what, " is ",
                                              expected));
    }
    return absl::OkStatus();
  }

  // Makes up what the config says that there must be: images without names, spread evenly over
  // the classes.
  void Declare() {
    const auto fill = [&](int64_t images, Folder* folder) {
      folder->classes.resize(config_.expected_classes());
      folder->files.resize(images);
      for (int64_t i = 0; i < images; ++i) {
        folder->files[i].label = static_cast<int32_t>(i * config_.expected_classes() / images);
      }
    };
    fill(config_.expected_train_images(), &train_);
    fill(config_.expected_val_images(), &val_);
  }

  // Deals the images out to the splits.
  void DealOut() {
    const auto images = static_cast<int64_t>(train_.files.size());
    const auto held_out =
        static_cast<int64_t>(static_cast<double>(images) * config_.validation_fraction());
    int64_t next = 0;
    for (int64_t i = 0; i < images; ++i) {
      // The middles of `held_out` equal parts of the list, which is sorted by class.
      const bool is_held_out = next < held_out && i == (2 * next + 1) * images / (2 * held_out);
      if (is_held_out) ++next;
      const auto split = is_held_out ? Split::kValidation : Split::kTrain;
      files_[static_cast<int>(split)].push_back(i);
      labels_[static_cast<int>(split)].push_back(train_.files[i].label);
    }
    for (const File& file : val_.files) {
      labels_[static_cast<int>(Split::kTest)].push_back(file.label);
    }

    const bool one_size = config_.train_crop() == config_.eval_crop();
    const int64_t side = one_size ? config_.train_crop() : -1;
    spec_.fields = {{"image", {kColours, side, side}, DType::kF32}, {"label", {}, DType::kI64}};
    spec_.classes = static_cast<int64_t>(train_.classes.size());

    const Layout no_layout;
    DigestVisitor digest(&no_layout);
    CHECK_OK(digest.VisitBytes("train", &train_.listing));
    CHECK_OK(digest.VisitBytes("val", &val_.listing));
    fingerprint_ = CombineDigests({digest.digest(), static_cast<uint64_t>(held_out),
                                   static_cast<uint64_t>(config_.train_crop()),
                                   static_cast<uint64_t>(config_.eval_resize()),
                                   static_cast<uint64_t>(config_.eval_crop())});
    train_.listing = val_.listing = "";
  }

  absl::StatusOr<Image> Decode(Split split, int64_t example) const {
    const bool is_test = split == Split::kTest;
    const Folder& folder = is_test ? val_ : train_;
    const File& file = folder.files[is_test ? example : files_[static_cast<int>(split)][example]];
    const std::string path = absl::StrCat(directory_, is_test ? "/val/" : "/train/",
                                          folder.classes[file.label], "/", file.name);
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    return DecodeImage(path, bytes);
  }

  static void Normalize(int64_t side, bool mirrored, absl::Span<float> image) {
    for (int64_t colour = 0; colour < kColours; ++colour) {
      const auto scale = static_cast<float>(1 / (255 * kDeviation[colour]));
      const auto shift = static_cast<float>(-kMean[colour] / kDeviation[colour]);
      for (int64_t row = 0; row < side; ++row) {
        const auto values = image.subspan((colour * side + row) * side, side);
        for (float& value : values) value = value * scale + shift;
        if (mirrored) std::reverse(values.begin(), values.end());
      }
    }
  }

  const ImagefolderConfig config_;
  std::string directory_;
  absl::Status missing_;
  Folder train_, val_;
  std::vector<int64_t> files_[2];   // by split: numbers of the images of train
  std::vector<int32_t> labels_[3];  // by split
  DataSpec spec_;
  uint64_t fingerprint_ = 0;
};

STARLING_REGISTER_PLUGIN(Dataset, Imagefolder, ImagefolderConfig,
                         PluginFacts{"imagefolder",
                                     "JPEG and PNG files in one directory per class, as ImageNet",
                                     "Deng et al., CVPR 2009",
                                     {"imagenet"},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
