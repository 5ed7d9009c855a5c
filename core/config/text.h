// Configs as people write them: protobuf text format, with two comforts.
//
//  * A plug-in's config needs no type in brackets, because its name says it:
//      algorithm { name: "gossip" config { order: AWC } }
//    means config { [type.googleapis.com/starling.GossipConfig] { order: AWC } }. Both forms are
//    accepted, at any depth; resolved configs print the long one.
//  * Mistakes are answered with file:line:column, what was found and what would be right, all of
//    them at once (of mistakes in the syntax the first, because the others may follow from it).
#ifndef CORE_CONFIG_TEXT_H_
#define CORE_CONFIG_TEXT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/config/problem.h"
#include "google/protobuf/message.h"

namespace starling {

// Parses `text` into `message` (cleared first). `file` stands in messages only.
// INVALID_ARGUMENT: one line per mistake, "file:line:col: ..."; lines and columns count from 1,
// columns in characters. `locations`, unless null, gets the place of every value, for problems
// that only Resolve or the caller finds.
absl::Status ParseText(absl::string_view text, absl::string_view file,
                       google::protobuf::Message* message, TextLocations* locations = nullptr);

// Reads and parses a file. NOT_FOUND or PERMISSION_DENIED name the path and the reason.
absl::Status LoadText(const std::string& path, google::protobuf::Message* message,
                      TextLocations* locations = nullptr);

// Prints in the long form, re-readable by ParseText, fields in the order of their numbers.
std::string PrintText(const google::protobuf::Message& message);

// Applies one assignment "path=value", e.g. "train.epochs=3", "optimizer.config.lr=1e-3",
// "optimizer.name=adam", "optimizer={name: \"adam\" config {lr: 1e-3}}",
// "partition.config={alpha: 0.5}", "milestones=[10, 20]", "arm[1].name=b" (entries count from 0).
// The new value replaces the old one. Strings may be unquoted. Paths go through the config of a
// plug-in by its name. Assigning a plug-in's name keeps those fields of its config whose name and
// type the new plug-in's config has too, and drops the others: one line per dropped field is
// appended to `notes`.
// INVALID_ARGUMENT names the assignment, the part of the path or the value that is wrong, and what
// would be right; `message` is then as it was.
absl::Status SetField(google::protobuf::Message* message, absl::string_view assignment,
                      std::vector<std::string>* notes);

}  // namespace starling

#endif  // CORE_CONFIG_TEXT_H_
