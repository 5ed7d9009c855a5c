// Pieces of figures in SVG: one look for all that verbs draw.
#ifndef EXPERIMENTS_SVG_H_
#define EXPERIMENTS_SVG_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace starling {

// Begins a figure: white paper, dark text. It ends with "</svg>\n".
std::string SvgHead(double width, double height);

// `anchor`: "start", "middle" or "end".
std::string SvgText(double x, double y, absl::string_view anchor, int size, absl::string_view text);

// The same, read upwards.
std::string SvgTextUpwards(double x, double y, int size, absl::string_view text);

// Ten colours that tell categories apart on white; the eleventh is the first again.
const char* SvgColour(size_t index);

// With &, < and > as entities.
std::string XmlEscaped(absl::string_view text);

}  // namespace starling

#endif  // EXPERIMENTS_SVG_H_
