// The page about a run that does not get on: what every worker does or waits for, for whom, for
// which bucket of which step and since when. Collected from all processes of the run; one that
// does not answer is named too.
#ifndef EXPERIMENTS_HANG_REPORT_H_
#define EXPERIMENTS_HANG_REPORT_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/process_group.h"
#include "comm/recorder.h"
#include "experiments/run_message.pb.h"

namespace starling {

// Thread-safe.
class HangReport {
 public:
  // `group` (not owned): the run's processes; null if it is only this one. `publish` gets the
  // whole page, in process 0 only.
  HangReport(ProcessGroup* group, std::function<void(const std::string& page)> publish)
      : group_(group), publish_(std::move(publish)) {}
  ~HangReport();

  // The workers of this process, while they train. `recorder` is not owned.
  void Attach(int worker, const Recorder* recorder);
  void Detach(int worker);

  // Has a page published that begins with `reason`; returns when it is, after 2 s at most. Not by
  // the thread that delivers the group's messages.
  void Write(const std::string& reason);

  // A message of another process, if it is about pages.
  void OnMessage(int from, const RunMessage& message);

 private:
  std::string DescribeWorkers();
  void Collect(const std::string& reason);

  ProcessGroup* group_;
  std::function<void(const std::string&)> publish_;

  std::mutex page_mutex_;  // one page at a time
  std::mutex mutex_;       // guards what follows
  std::condition_variable changed_;
  std::map<int, const Recorder*> workers_;
  int64_t page_ = 0;
  std::map<int, std::string> descriptions_;  // for page_, by process
  int64_t written_ = 0;                      // pages that the lead has told of
  std::vector<std::thread> writers_;         // of pages that others have asked for
};

}  // namespace starling

#endif  // EXPERIMENTS_HANG_REPORT_H_
