// Which part of an image is taken for training, which for evaluation.
#ifndef DATA_IMAGE_CROP_H_
#define DATA_IMAGE_CROP_H_

#include <cstdint>

#include "core/random/random.h"
#include "data/image/image.h"

namespace starling {

// A random part of an image of width x height: its share of the area is uniform in [0.08, 1], the
// logarithm of its ratio of width to height uniform in [log 3/4, log 4/3], and its place uniform. A
// part that does not fit is drawn again; after ten such draws it is the largest central part with a
// ratio in [3/4, 4/3].
//
// Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6, in the form of
// torchvision's RandomResizedCrop.
Box RandomPart(int64_t width, int64_t height, Random* random);

// The size of an image of width x height scaled so that its shorter side is `side`; the longer one
// is rounded down. As torchvision's Resize. `left` and `top` are 0.
Box ScaledToShortSide(int64_t width, int64_t height, int64_t side);

// The central size x size pixels of an image of width x height, both at least `size`. As
// torchvision's CenterCrop.
Box CentralPart(int64_t width, int64_t height, int64_t size);

}  // namespace starling

#endif  // DATA_IMAGE_CROP_H_
