#include "core/config/text_tree.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace starling {
namespace {

using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::ErrorCollector;
using google::protobuf::io::Tokenizer;

constexpr int kMaxDepth = 100;

struct Token {
  Tokenizer::TokenType type;
  std::string text;
  TextPosition position;
};

// Translates places as io::Tokenizer counts them: from 0, in bytes, tabs up to the next multiple
// of 8. Linear in the text if asked from front to back.
class PositionMap {
 public:
  explicit PositionMap(absl::string_view text) : lines_(absl::StrSplit(text, '\n')) {}

  TextPosition Translate(int line, int column) {
    if (line != line_ || column < counted_) {
      line_ = line;
      rest_ = lines_[line];
      counted_ = characters_ = 0;
    }
    for (; counted_ < column && !rest_.empty(); rest_.remove_prefix(1)) {
      counted_ += rest_[0] == '\t' ? 8 - counted_ % 8 : 1;
      const bool continues_character = (static_cast<unsigned char>(rest_[0]) & 0xC0) == 0x80;
      if (!continues_character) ++characters_;
    }
    return {line + 1, characters_ + 1};
  }

 private:
  const std::vector<absl::string_view> lines_;
  // Where the last translation ended.
  int line_ = -1;
  int counted_ = 0, characters_ = 0;
  absl::string_view rest_;
};

class FirstError final : public ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (found_) return;
    found_ = true;
    line_ = line;
    column_ = column;
    message_ = message;
  }
  bool found() const { return found_; }
  TextProblem Get(PositionMap* positions) const {
    return {positions->Translate(line_, column_), message_};
  }

 private:
  bool found_ = false;
  int line_ = 0, column_ = 0;
  std::string message_;
};

// Returns the tokens of `text`, the last of type TYPE_END; empty and a problem on a mistake.
std::vector<Token> Tokenize(absl::string_view text, TextProblem* problem) {
  PositionMap positions(text);
  FirstError error;
  ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  Tokenizer tokenizer(&stream, &error);
  // As TextFormat::Parser has it.
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  tokenizer.set_allow_f_after_float(true);
  std::vector<Token> tokens;
  do {
    tokenizer.Next();
    if (error.found()) {
      *problem = error.Get(&positions);
      return {};
    }
    const Tokenizer::Token& token = tokenizer.current();
    tokens.push_back({token.type, token.text, positions.Translate(token.line, token.column)});
  } while (tokens.back().type != Tokenizer::TYPE_END);
  return tokens;
}

// Recursive descent over the tokens. Methods return false after a mistake, which is in problem().
class TreeParser {
 public:
  explicit TreeParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const TextProblem& problem() const { return problem_; }

  bool ParseRoot(TextValue* root) {
    root->is_block = true;
    while (current().type != Tokenizer::TYPE_END) {
      if (!ParseField(0, &root->fields.emplace_back())) return false;
    }
    return true;
  }

  bool ParseOnly(TextField* field) {
    if (!ParseValues(0, field)) return false;
    return current().type == Tokenizer::TYPE_END || Fail("nothing more");
  }

 private:
  const Token& current() const { return tokens_[next_]; }

  // Symbols are compared with their type, because "{" with its quotes is a string.
  bool At(absl::string_view symbol) const {
    return current().type == Tokenizer::TYPE_SYMBOL && current().text == symbol;
  }

  bool Skip(absl::string_view symbol) {
    if (!At(symbol)) return false;
    ++next_;
    return true;
  }

  bool Fail(absl::string_view expected) { return FailAt(current(), expected); }

  bool FailAt(const Token& token, absl::string_view expected) {
    std::string found = "the end of the text";
    if (token.type != Tokenizer::TYPE_END) {
      const bool quoted = token.type == Tokenizer::TYPE_STRING;
      found = quoted ? token.text : absl::StrCat("\"", token.text, "\"");
    }
    problem_ = {token.position, absl::StrCat("expected ", expected, ", found ", found)};
    return false;
  }

  static std::string ColonOrBlock(const TextField& field) {
    return absl::StrCat("\":\" or \"{\" after \"", field.name, "\"");
  }

  bool ParseField(int depth, TextField* field) {
    field->position = current().position;
    if (Skip("[")) {
      field->is_type = true;
      if (!ParseTypeName(&field->name)) return false;
    } else if (current().type == Tokenizer::TYPE_IDENTIFIER) {
      field->name = current().text;
      ++next_;
    } else {
      return Fail("the name of a field");
    }
    const bool colon = Skip(":");
    const Token& first = current();
    if (!colon && !At("{") && !At("<") && !At("[")) return FailAt(first, ColonOrBlock(*field));
    if (!ParseValues(depth, field)) return false;
    const bool holds_scalars = !field->values.empty() && !field->values[0].is_block;
    if (!colon && holds_scalars) return FailAt(first, ColonOrBlock(*field));
    if (!Skip(",")) Skip(";");
    return true;
  }

  // What stands behind the name.
  bool ParseValues(int depth, TextField* field) {
    field->value_position = current().position;
    field->is_list = Skip("[");
    return field->is_list ? ParseList(depth, &field->values)
                          : ParseValue(depth, &field->values.emplace_back());
  }

  // After "[", up to and with "]": dotted names, separated by slashes.
  bool ParseTypeName(std::string* name) {
    for (;;) {
      if (current().type != Tokenizer::TYPE_IDENTIFIER) return Fail("the type of a message");
      absl::StrAppend(name, current().text);
      ++next_;
      if (!At(".") && !At("/")) return Skip("]") || Fail("\"]\"");
      absl::StrAppend(name, current().text);
      ++next_;
    }
  }

  // After "[", up to and with "]".
  bool ParseList(int depth, std::vector<TextValue>* values) {
    if (Skip("]")) return true;
    do {
      if (!ParseValue(depth, &values->emplace_back())) return false;
    } while (Skip(","));
    return Skip("]") || Fail("\",\" or \"]\"");
  }

  bool ParseValue(int depth, TextValue* value) {
    value->position = current().position;
    if (At("{") || At("<")) return ParseBlock(depth + 1, value);
    if (current().type == Tokenizer::TYPE_STRING) {
      // Strings that follow each other are one.
      for (; current().type == Tokenizer::TYPE_STRING; ++next_) {
        absl::StrAppend(&value->scalar, value->scalar.empty() ? "" : " ", current().text);
      }
      return true;
    }
    if (Skip("-")) value->scalar = "-";
    switch (current().type) {
      case Tokenizer::TYPE_INTEGER:
      case Tokenizer::TYPE_FLOAT:
      case Tokenizer::TYPE_IDENTIFIER:
        value->scalar += current().text;
        ++next_;
        return true;
      default:
        return Fail("a value");
    }
  }

  bool ParseBlock(int depth, TextValue* value) {
    if (depth > kMaxDepth) {
      problem_ = {current().position,
                  absl::StrCat("blocks are nested more than ", kMaxDepth, " deep")};
      return false;
    }
    value->is_block = true;
    const absl::string_view close = At("{") ? "}" : ">";
    ++next_;
    while (!At("}") && !At(">") && current().type != Tokenizer::TYPE_END) {
      if (!ParseField(depth, &value->fields.emplace_back())) return false;
    }
    return Skip(close) || Fail(absl::StrCat("\"", close, "\" for the block that begins at ",
                                            value->position.line, ":", value->position.column));
  }

  const std::vector<Token> tokens_;
  size_t next_ = 0;
  TextProblem problem_;
};

template <typename Rule>
bool Parse(absl::string_view text, const Rule& rule, TextProblem* problem) {
  // Some editors begin files with a byte order mark, which is no column.
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<Token> tokens = Tokenize(text, problem);
  if (tokens.empty()) return false;
  TreeParser parser(std::move(tokens));
  if (rule(&parser)) return true;
  *problem = parser.problem();
  return false;
}

}  // namespace

bool ParseTextTree(absl::string_view text, TextValue* root, TextProblem* problem) {
  *root = TextValue();
  return Parse(
      text, [&](TreeParser* parser) { return parser->ParseRoot(root); }, problem);
}

bool ParseTextValue(absl::string_view text, TextField* field, TextProblem* problem) {
  *field = TextField();
  return Parse(
      text, [&](TreeParser* parser) { return parser->ParseOnly(field); }, problem);
}

}  // namespace starling
