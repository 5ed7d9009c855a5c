#include "models/language.h"

#include "gtest/gtest.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

TEST(LanguageTest, TakesTheDatasVocabularyOrALargerOne) {
  const DataSpec data = TextSpec(/*context=*/16, /*vocabulary=*/65);
  const auto own = LanguageOf("gpt2", data, 0);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->context, 16);
  EXPECT_EQ(own->vocabulary, 65);
  EXPECT_EQ(LanguageOf("gpt2", data, 128)->vocabulary, 128);
  EXPECT_EQ(LanguageOf("gpt2", data, 64).status(),
            absl::InvalidArgumentError("model \"gpt2\": vocabulary is 64, but the data set has 65 "
                                       "different tokens"));
}

TEST(LanguageTest, SaysWhatIsNeededAndWhatIsGiven) {
  for (const DataSpec& data : {LabelledSpec({4}, 3), TranslationSpec(9), DataSpec()}) {
    EXPECT_FALSE(LanguageOf("lstm", data, 0).ok());
  }
  EXPECT_EQ(LanguageOf("lstm", LabelledSpec({4}, 3), 0).status().message(),
            "model \"lstm\" needs sequences of tokens with targets, such as the data sets \"text\" "
            "and \"tokens\" give; data set gives image, label");
}

}  // namespace
}  // namespace starling
