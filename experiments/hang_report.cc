#include "experiments/hang_report.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace starling {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);  // with processes that do not answer
constexpr int kExchanges = 4;                        // per worker on the page

}  // namespace

HangReport::~HangReport() {
  for (std::thread& writer : writers_) writer.join();
}

void HangReport::Attach(int worker, const Recorder* recorder) {
  std::lock_guard<std::mutex> lock(mutex_);
  workers_[worker] = recorder;
}

void HangReport::Detach(int worker) {
  std::lock_guard<std::mutex> lock(mutex_);
  workers_.erase(worker);
}

std::string HangReport::DescribeWorkers() {
  std::lock_guard<std::mutex> lock(mutex_);  // keeps the recorders
  std::string text;
  for (const auto& [worker, recorder] : workers_)
    absl::StrAppend(&text, recorder->Report(kExchanges));
  return text;
}

void HangReport::Write(const std::string& reason) {
  if (group_ == nullptr || group_->process() == 0) return Collect(reason);
  RunMessage message;
  message.set_page_request(reason);
  std::unique_lock<std::mutex> lock(mutex_);
  const int64_t before = written_;
  group_->Tell(0, message.SerializeAsString());
  changed_.wait_for(lock, 2 * kPatience, [&] { return written_ > before; });
}

void HangReport::Collect(const std::string& reason) {
  std::lock_guard<std::mutex> one_at_a_time(page_mutex_);
  std::string page = absl::StrCat(reason, "\n\n", DescribeWorkers());
  if (group_ != nullptr) {
    RunMessage message;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      message.set_describe(++page_);
      descriptions_.clear();
    }
    group_->TellAll(message.SerializeAsString());
    const int others = group_->processes() - 1;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, kPatience,
                      [&] { return static_cast<int>(descriptions_.size()) == others; });
    for (int process = 1; process <= others; ++process) {
      const auto found = descriptions_.find(process);
      absl::StrAppend(&page, found != descriptions_.end()
                                 ? found->second
                                 : absl::StrCat("worker ", process,
                                                " does not answer: it is stopped, or its machine "
                                                "hangs\n"));
    }
  }
  publish_(page);
  if (group_ == nullptr) return;
  RunMessage message;
  message.mutable_page_written();
  group_->TellAll(message.SerializeAsString());
}

void HangReport::OnMessage(int from, const RunMessage& message) {
  switch (message.kind_case()) {
    case RunMessage::kPageRequest: {
      // Answers come on this very thread, so another one must wait for them.
      std::lock_guard<std::mutex> lock(mutex_);
      writers_.emplace_back([this, reason = message.page_request()] { Collect(reason); });
      return;
    }
    case RunMessage::kDescribe: {
      RunMessage answer;
      answer.mutable_description()->set_page(message.describe());
      answer.mutable_description()->set_text(DescribeWorkers());
      return group_->Tell(0, answer.SerializeAsString());
    }
    case RunMessage::kDescription: {
      std::lock_guard<std::mutex> lock(mutex_);
      if (message.description().page() != page_) return;  // too late
      descriptions_[from] = message.description().text();
      changed_.notify_all();
      return;
    }
    case RunMessage::kPageWritten: {
      std::lock_guard<std::mutex> lock(mutex_);
      ++written_;
      changed_.notify_all();
      return;
    }
    default:
      return;
  }
}

}  // namespace starling
