// Protobuf text format as a tree: the names, values and blocks of a text, without knowing what
// they mean, each with its place. What a scalar means is left to protobuf (ParseScalar).
#ifndef CORE_CONFIG_TEXT_TREE_H_
#define CORE_CONFIG_TEXT_TREE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace starling {

// A place in a text; lines and columns count from 1, columns in characters (a tab is one).
struct TextPosition {
  int line = 1;
  int column = 1;
};

// One mistake in a text.
struct TextProblem {
  TextPosition position;
  std::string message;
};

struct TextField;

// A scalar or a block.
struct TextValue {
  TextPosition position;  // of its first character
  bool is_block = false;
  std::string scalar;             // as written: -1e-3, "a string", NAME
  std::vector<TextField> fields;  // of a block
};

// `name: value`, `name { ... }`, `name: [value, ...]`, or with `[type/of.a.Message]` as its name.
struct TextField {
  TextPosition position;  // of the name
  bool is_type = false;   // the name stood in brackets, which are not in `name`
  std::string name;
  bool is_list = false;
  TextPosition value_position;    // of the value or of the list's bracket
  std::vector<TextValue> values;  // one, unless it is a list
};

// Reads `text` into `root`, a block. Returns true, or false and the first mistake: what follows it
// could be a consequence. Blocks may be nested 100 deep.
bool ParseTextTree(absl::string_view text, TextValue* root, TextProblem* problem);

// As ParseTextTree, for what may stand behind a field's name: `field` gets the value, block or list
// that `text` is.
bool ParseTextValue(absl::string_view text, TextField* field, TextProblem* problem);

}  // namespace starling

#endif  // CORE_CONFIG_TEXT_TREE_H_
