#include "data/data_directory.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

class DataDirectoryTest : public testing::Test {
 protected:
  DataDirectoryTest() {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    setenv("STARLING_DATA", root_.c_str(), 1);
  }
  ~DataDirectoryTest() override { unsetenv("STARLING_DATA"); }

  void Make(const std::string& name) const {
    std::filesystem::create_directory(root_ + "/" + name);
  }

  const std::string root_ = testing::TempDir() + "/data";
  const UsualPlaces places_ = {{"flowers", "flowers-17"}, root_ + "/packaged", "grow them"};
};

TEST_F(DataDirectoryTest, TheConfiguredOneComesFirst) {
  Make("mine");
  Make("flowers");
  EXPECT_EQ(FindDataDirectory("flowers", root_ + "/mine", places_).value(), root_ + "/mine");
  EXPECT_EQ(FindDataDirectory("flowers", "/nowhere/flowers", places_).status(),
            absl::NotFoundError("dataset \"flowers\": the directory /nowhere/flowers "
                                "(dataset.config.dir) does not exist; grow them"));
}

TEST_F(DataDirectoryTest, TheUsualPlacesComeInOrder) {
  Make("packaged");
  EXPECT_EQ(FindDataDirectory("flowers", "", places_).value(), root_ + "/packaged");
  Make("flowers-17");
  EXPECT_EQ(FindDataDirectory("flowers", "", places_).value(), root_ + "/flowers-17");
  Make("flowers");
  EXPECT_EQ(FindDataDirectory("flowers", "", places_).value(), root_ + "/flowers");
}

TEST_F(DataDirectoryTest, SaysWhereItLooked) {
  EXPECT_EQ(FindDataDirectory("flowers", "", places_).status(),
            absl::NotFoundError("dataset \"flowers\": its files were not found; looked for the "
                                "directory " +
                                root_ + "/flowers, " + root_ + "/flowers-17, " + root_ +
                                "/packaged; grow them, or name a directory with "
                                "dataset.config.dir"));
  unsetenv("STARLING_DATA");
  EXPECT_EQ(FindDataDirectory("flowers", "", {{"flowers"}, "", "grow them"}).status(),
            absl::NotFoundError("dataset \"flowers\": its files were not found; looked for the "
                                "directory $STARLING_DATA/flowers; grow them, or name a directory "
                                "with dataset.config.dir"));
}

}  // namespace
}  // namespace starling
