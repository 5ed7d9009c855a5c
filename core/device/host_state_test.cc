#include "core/device/host_state.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/state.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

// Remembers what it sees, and doubles it.
class Doubling final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    names.push_back(std::string(name));
    for (float& value : state.as<float>()) {
      seen.push_back(value);
      value *= 2;
    }
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view name, std::string* state) override {
    names.push_back(std::string(name));
    *state += "!";
    return absl::OkStatus();
  }

  std::vector<std::string> names;
  std::vector<float> seen;
};

TEST(HostState, ShowsCopiesAndPutsThemBack) {
  const auto queue = OwnedQueue::New();
  CHECK_OK(queue);
  const QueueScope scope(queue->get());
  std::vector<float> on_host = {1, 2};
  const Buffer host = AsBuffer(absl::MakeSpan(on_host));
  const auto arena = MakeArena(2, DType::kF32, Place::kDevice);
  CHECK_OK(arena);
  const Buffer device = arena->buffer();
  ops::Copy(host, device);
  ASSERT_TRUE(LinkedDevice()->Wait(CurrentQueue()).ok());  // `host` will change
  ops::Scale(3, device);

  Doubling visitor;
  HostState state(&visitor);
  std::string bytes = "b";
  ASSERT_TRUE(state.Visit("host", host).ok());
  ASSERT_TRUE(state.Visit("device", device).ok());
  ASSERT_TRUE(state.VisitTensor("tensor", {2}, device).ok());
  ASSERT_TRUE(state.VisitBytes("bytes", &bytes).ok());
  EXPECT_THAT(visitor.names, ElementsAre("host", "device", "tensor", "bytes"));
  EXPECT_THAT(visitor.seen, ElementsAre(1, 2, 3, 6, 3, 6));
  EXPECT_THAT(on_host, ElementsAre(2, 4));
  EXPECT_EQ(bytes, "b!");

  ASSERT_TRUE(state.PutBack().ok());
  std::vector<float> now(2);
  ops::Copy(device, AsBuffer(absl::MakeSpan(now)));
  ASSERT_TRUE(LinkedDevice()->Wait(CurrentQueue()).ok());
  EXPECT_THAT(now, ElementsAre(6, 12));
}

}  // namespace
}  // namespace starling
