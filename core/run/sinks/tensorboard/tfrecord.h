// TensorFlow's record files, which event files are: a sequence of
//
//   uint64 length     uint32 masked CRC-32C of length     data     uint32 masked CRC-32C of data
//
// all little-endian. Source: tsl/lib/io/record_writer.h and tsl/lib/hash/crc32c.h (masking).
#ifndef CORE_RUN_SINKS_TENSORBOARD_TFRECORD_H_
#define CORE_RUN_SINKS_TENSORBOARD_TFRECORD_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace starling {

// Returns `data` with its frame.
std::string TfRecord(absl::string_view data);

// CRC-32C (Castagnoli): RFC 3720, section 12.1; polynomial 0x1edc6f41, bits reflected, initial
// value and final XOR 0xffffffff.
uint32_t Crc32c(absl::string_view data);

}  // namespace starling

#endif  // CORE_RUN_SINKS_TENSORBOARD_TFRECORD_H_
