#include "experiments/svg.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace starling {

std::string SvgHead(double width, double height) {
  return absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" fill=\"#202124\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
      width, height, width, height);
}

std::string SvgText(double x, double y, absl::string_view anchor, int size,
                    absl::string_view text) {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">%s</text>\n", x, y, anchor,
      size, XmlEscaped(text));
}

std::string SvgTextUpwards(double x, double y, int size, absl::string_view text) {
  return absl::StrFormat(
      "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\" "
      "font-size=\"%d\">%s</text>\n",
      x, y, size, XmlEscaped(text));
}

const char* SvgColour(size_t index) {
  static constexpr const char* kColours[] = {"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2",
                                             "#edc948", "#e15759", "#9c755f", "#ff9da7", "#86bcb6"};
  return kColours[index % 10];
}

std::string XmlEscaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace starling
