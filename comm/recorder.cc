#include "comm/recorder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/buffer.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr size_t kTraceBatch = 1 << 15;  // bytes of events that are handed on at a time

std::string SecondsText(double seconds) {
  return seconds < 1 ? absl::StrFormat("%.1f ms", seconds * 1e3)
                     : absl::StrFormat("%.1f s", seconds);
}

std::string PeerText(const ExchangeRecord& record) {
  const int messages = record.sends + record.receives;
  std::string text = record.first_peer == kAnyone ? "anyone" : absl::StrCat(record.first_peer);
  return record.sends > 1 || record.receives > 1
             ? absl::StrCat("worker ", text, " and others (", messages, " messages)")
             : absl::StrCat("worker ", text);
}

}  // namespace

absl::string_view PhaseName(Phase phase) {
  static constexpr absl::string_view kNames[kPhases] = {"outside",  "data",   "forward",
                                                        "backward", "update", "wait"};
  return kNames[static_cast<int>(phase)];
}

Recorder::Recorder(int worker, int workers, Clock* clock)
    : worker_(worker), clock_(clock), records_(kKept), bytes_by_destination_(workers) {
  phase_began_ = since_ = clock_->NowSeconds();
}

void Recorder::BeginStep(int64_t step) {
  own_step_ = step;
  seconds_.fill(0);
  std::string batch;
  TraceSink sink;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    step_ = step;
    if (events_.size() >= kTraceBatch) {
      batch.swap(events_);
      sink = trace_;
    }
  }
  if (sink) sink(std::move(batch));
}

Phase Recorder::Enter(Phase phase) {
  const double now = clock_->NowSeconds();
  const double began = std::exchange(phase_began_, now);
  std::lock_guard<std::mutex> lock(mutex_);
  const Phase left = std::exchange(phase_, phase);
  since_ = now;
  seconds_[static_cast<int>(left)] += now - began;
  if (trace_ && left != Phase::kOutside) {
    Emit(absl::StrFormat(R"({"ph":"X","pid":%d,"tid":0,"ts":%.1f,"dur":%.1f,"name":"%s",)"
                         R"("args":{"step":%d}})",
                         worker_, (began + trace_offset_) * 1e6, (now - began) * 1e6,
                         PhaseName(left), step_));
  }
  return left;
}

void Recorder::set_trace(TraceSink sink, double offset_seconds) {
  std::string rest;
  TraceSink old;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    rest.swap(events_);
    old = std::exchange(trace_, std::move(sink));
    trace_offset_ = offset_seconds;
    if (trace_) {
      Emit(absl::StrFormat(
          R"({"ph":"M","pid":%d,"name":"process_name","args":{"name":"worker %d"}})", worker_,
          worker_));
    }
  }
  if (old && !rest.empty()) old(std::move(rest));
}

void Recorder::Emit(const std::string& event) { absl::StrAppend(&events_, event, ",\n"); }

void Recorder::WaitBegins(std::function<std::string()> missing) {
  const double now = clock_->NowSeconds();
  std::lock_guard<std::mutex> lock(mutex_);
  missing_ = std::move(missing);
  waiting_since_ = now;
}

void Recorder::WaitEnds() {
  std::lock_guard<std::mutex> lock(mutex_);
  missing_ = nullptr;
}

int64_t Recorder::Started(absl::Span<const Send> sends, absl::Span<const Receive> receives,
                          Traffic traffic) {
  ExchangeRecord record;
  record.traffic = traffic;
  record.sends = static_cast<int>(sends.size());
  record.receives = static_cast<int>(receives.size());
  record.begin_seconds = clock_->NowSeconds();
  if (!receives.empty()) {
    record.key = receives[0].key;
    record.first_peer = receives[0].from;
  } else if (!sends.empty()) {
    record.key = sends[0].key;
    record.first_peer = sends[0].to;
  }
  for (const Send& send : sends) record.bytes_out += send.data.bytes();
  for (const Receive& receive : receives) record.bytes_in += receive.into.bytes();
  std::lock_guard<std::mutex> lock(mutex_);
  record.number = started_++;
  record.step = step_;
  bytes_sent_[static_cast<int>(traffic)] += record.bytes_out;
  if (traffic == Traffic::kTraining) {
    for (const Send& send : sends) bytes_by_destination_[send.to] += send.data.bytes();
    if (under_way_++ == 0) under_way_since_ = record.begin_seconds;
  }
  records_[record.number % kKept] = record;
  return record.number;
}

void Recorder::Ended(int64_t number) {
  const double now = clock_->NowSeconds();
  std::lock_guard<std::mutex> lock(mutex_);
  ExchangeRecord& record = records_[number % kKept];
  if (record.number != number || record.end_seconds >= 0) return;
  record.end_seconds = now;
  if (record.traffic == Traffic::kTraining && --under_way_ == 0) {
    communication_seconds_ += now - under_way_since_;
  }
  if (!trace_ || record.traffic != Traffic::kTraining) return;
  const std::string name =
      absl::StrFormat(R"("pid":%d,"tid":1,"cat":"exchange","id":%d,"name":"bucket %d")", worker_,
                      number, record.key.bucket);
  Emit(absl::StrFormat(
      R"({"ph":"b",%s,"ts":%.1f,"args":{"step":%d,"round":%d,"stream":%d,"part":%d,)"
      R"("with":%d,"bytes_out":%d,"bytes_in":%d}})",
      name, (record.begin_seconds + trace_offset_) * 1e6, record.step, record.key.round,
      record.key.stream, record.key.part, record.first_peer, record.bytes_out, record.bytes_in));
  Emit(absl::StrFormat(R"({"ph":"e",%s,"ts":%.1f})", name, (now + trace_offset_) * 1e6));
}

int64_t Recorder::bytes_sent(Traffic traffic) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return bytes_sent_[static_cast<int>(traffic)];
}

std::vector<int64_t> Recorder::bytes_by_destination() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return bytes_by_destination_;
}

double Recorder::communication_seconds() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return communication_seconds_;
}

absl::Status Recorder::VisitTotals(StateVisitor* visitor) {
  std::lock_guard<std::mutex> lock(mutex_);
  int64_t& sent = bytes_sent_[static_cast<int>(Traffic::kTraining)];
  RETURN_IF_ERROR(visitor->Visit("bytes_sent", AsBuffer(absl::MakeSpan(&sent, 1))));
  RETURN_IF_ERROR(
      visitor->Visit("bytes_by_destination", AsBuffer(absl::MakeSpan(bytes_by_destination_))));
  return visitor->Visit("communication_seconds",
                        AsBuffer(absl::MakeSpan(&communication_seconds_, 1)));
}

std::vector<ExchangeRecord> Recorder::Records() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<ExchangeRecord> records;
  for (int64_t number = std::max<int64_t>(0, started_ - kKept); number < started_; ++number) {
    records.push_back(records_[number % kKept]);
  }
  return records;
}

std::string Recorder::Report(int exchanges) const {
  const double now = clock_->NowSeconds();
  std::vector<ExchangeRecord> records = Records();
  std::lock_guard<std::mutex> lock(mutex_);
  std::string text = absl::StrCat("worker ", worker_, ", ",
                                  step_ < 0 ? "before step 0" : absl::StrCat("step ", step_));
  if (missing_) {
    absl::StrAppend(&text, ": waits for ", missing_(), ", since ",
                    SecondsText(now - waiting_since_), "\n");
  } else {
    absl::StrAppend(&text, ": in ", PhaseName(phase_), ", since ", SecondsText(now - since_), "\n");
  }
  // What is under way says most; then what ended last.
  std::stable_partition(records.begin(), records.end(),
                        [](const ExchangeRecord& record) { return record.end_seconds >= 0; });
  const int64_t shown = std::min<int64_t>(exchanges, static_cast<int64_t>(records.size()));
  for (auto record = records.end() - shown; record != records.end(); ++record) {
    absl::StrAppend(
        &text, "  step ", record->step, ", ", ToString(record->key), " with ", PeerText(*record),
        ", ", record->bytes_out, " bytes out: ",
        record->end_seconds < 0
            ? absl::StrCat("under way for ", SecondsText(now - record->begin_seconds))
            : absl::StrCat("took ", SecondsText(record->end_seconds - record->begin_seconds)),
        "\n");
  }
  return text;
}

}  // namespace starling
