#include "core/config/text_tree.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// The tree in one line: name@line:col=value, blocks in braces, lists in brackets.
std::string Dump(const TextValue& value);

std::string Dump(const TextField& field) {
  std::string text = absl::StrCat(field.is_type ? "TYPE " : "", field.name, "@",
                                  field.position.line, ":", field.position.column, "=");
  std::string values;
  for (const TextValue& value : field.values) {
    absl::StrAppend(&values, values.empty() ? "" : ",", Dump(value));
  }
  return absl::StrCat(text, field.is_list ? "[" : "", values, field.is_list ? "]" : "");
}

std::string Dump(const TextValue& value) {
  if (!value.is_block) {
    return absl::StrCat(value.scalar, "@", value.position.line, ":", value.position.column);
  }
  std::string fields;
  for (const TextField& field : value.fields) {
    absl::StrAppend(&fields, fields.empty() ? "" : " ", Dump(field));
  }
  return absl::StrCat("{", fields, "}");
}

std::string Tree(const std::string& text) {
  TextValue root;
  TextProblem problem;
  if (ParseTextTree(text, &root, &problem)) return Dump(root);
  return absl::StrCat(problem.position.line, ":", problem.position.column, ": ", problem.message);
}

TEST(TextTreeTest, HoldsNamesAndValuesWithTheirPlaces) {
  EXPECT_EQ(Tree(""), "{}");
  EXPECT_EQ(Tree("a: 1\nb : -2.5e3"), "{a@1:1=1@1:4 b@2:1=-2.5e3@2:5}");
  EXPECT_EQ(Tree("a { b <c: X> } d: {}"), "{a@1:1={b@1:5={c@1:8=X@1:11}} d@1:16={}}");
  EXPECT_EQ(Tree("a: [1, 2] b [{c: 3}, <>] d: []"),
            "{a@1:1=[1@1:5,2@1:8] b@1:11=[{c@1:15=3@1:18},{}] d@1:26=[]}");
  EXPECT_EQ(Tree("a: \"x\" 'y'"), "{a@1:1=\"x\" 'y'@1:4}");
  EXPECT_EQ(Tree("a { [b.c/d.E] { f: 1 } }"), "{a@1:1={TYPE b.c/d.E@1:5={f@1:17=1@1:20}}}");
  EXPECT_EQ(Tree("a: 1; b: 2, c: 3f # d: 4"), "{a@1:1=1@1:4 b@1:7=2@1:10 c@1:13=3f@1:16}");
}

TEST(TextTreeTest, ColumnsCountCharacters) {
  EXPECT_EQ(Tree("\ta:\t1\t\tb: 2"), "{a@1:2=1@1:5 b@1:8=2@1:11}");
  EXPECT_EQ(Tree("a: \"Z\xC3\xBCrich \xE2\x82\xAC\" b: 2"),
            "{a@1:1=\"Z\xC3\xBCrich \xE2\x82\xAC\"@1:4 b@1:15=2@1:18}");
  EXPECT_EQ(Tree("# \xC3\xBC\n a: 1"), "{a@2:2=1@2:5}");
  EXPECT_EQ(Tree("\xEF\xBB\xBF"
                 "a: 1"),
            "{a@1:1=1@1:4}");
  EXPECT_EQ(Tree("a: 1\r\nb: 2\r\n"), "{a@1:1=1@1:4 b@2:1=2@2:4}");
}

TEST(TextTreeTest, MistakesHaveTheirPlace) {
  EXPECT_EQ(Tree("a 1"), "1:3: expected \":\" or \"{\" after \"a\", found \"1\"");
  EXPECT_EQ(Tree("a [1]"), "1:3: expected \":\" or \"{\" after \"a\", found \"[\"");
  EXPECT_EQ(Tree("a:"), "1:3: expected a value, found the end of the text");
  EXPECT_EQ(Tree("a: }"), "1:4: expected a value, found \"}\"");
  EXPECT_EQ(Tree("}"), "1:1: expected the name of a field, found \"}\"");
  EXPECT_EQ(Tree("a: 1 \"b\""), "1:6: expected the name of a field, found \"b\"");
  EXPECT_EQ(Tree("a {\n  b: 1\n"),
            "3:1: expected \"}\" for the block that begins at 1:3, found the end of the text");
  EXPECT_EQ(Tree("a { b: 1 >"),
            "1:10: expected \"}\" for the block that begins at 1:3, found \">\"");
  EXPECT_EQ(Tree("a: [1 2]"), "1:7: expected \",\" or \"]\", found \"2\"");
  EXPECT_EQ(Tree("a: [1, ]"), "1:8: expected a value, found \"]\"");
  EXPECT_EQ(Tree("[a/b"), "1:5: expected \"]\", found the end of the text");
  EXPECT_EQ(Tree("[a/] {}"), "1:4: expected the type of a message, found \"]\"");
  EXPECT_EQ(Tree("a: --1"), "1:5: expected a value, found \"-\"");
  EXPECT_EQ(Tree("\t\ta: \"b\n"), "1:8: String literals cannot cross line boundaries.");
  EXPECT_EQ(Tree("a: 12x"), "1:6: Need space between number and identifier.");
  EXPECT_EQ(Tree(std::string("a: 1 \0 b: 2", 11)).substr(0, 5), "1:6: ");
}

TEST(TextTreeTest, DeepNestingIsAMistakeAndNotACrash) {
  const auto nested = [](int depth) {
    std::string open, close;
    for (int i = 0; i < depth; ++i) {
      open += "a{";
      close += "}";
    }
    return Tree(open + close);
  };
  EXPECT_EQ(nested(100).substr(0, 7), "{a@1:1=");
  EXPECT_EQ(nested(101), "1:202: blocks are nested more than 100 deep");
  EXPECT_EQ(nested(100000), "1:202: blocks are nested more than 100 deep");
}

TEST(TextValueTest, IsOneValueAndNothingMore) {
  TextField field;
  TextProblem problem;
  ASSERT_TRUE(ParseTextValue("[1, 2]", &field, &problem));
  EXPECT_TRUE(field.is_list);
  EXPECT_EQ(field.values.size(), 2u);
  ASSERT_TRUE(ParseTextValue("{a: 1}", &field, &problem));
  EXPECT_FALSE(field.is_list);
  EXPECT_EQ(Dump(field.values[0]), "{a@1:2=1@1:5}");
  EXPECT_FALSE(ParseTextValue("{a: 1} b: 2", &field, &problem));
  EXPECT_EQ(problem.message, "expected nothing more, found \"b\"");
  EXPECT_FALSE(ParseTextValue("", &field, &problem));
  EXPECT_EQ(problem.message, "expected a value, found the end of the text");
}

}  // namespace
}  // namespace starling
