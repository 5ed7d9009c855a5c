#include "experiments/faults.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "topology/repair.h"

namespace starling {
namespace {

using ::google::protobuf::Message;

// Whether a worker is away in `step`.
bool IsAway(const Faults::Leave& leave, int64_t step) {
  return step >= leave.at_step() && (!leave.has_return_at_step() || step < leave.return_at_step());
}

// Fields without a default have to be given, and ranks have to exist.
bool CheckFields(const Message& event, const std::string& path, int workers,
                 std::vector<Problem>* problems) {
  const size_t before = problems->size();
  const auto& reflection = *event.GetReflection();
  const auto& type = *event.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto& field = *type.field(i);
    const std::string place = absl::StrCat(path, ".", field.name());
    const bool optional = field.name() == "return_at_step" || field.name() == "until_step";
    if (!reflection.HasField(event, &field)) {
      if (!optional) problems->push_back({path, absl::StrCat(place, " is missing")});
      continue;
    }
    if (field.name() != "worker" && field.name() != "other_worker") continue;
    const int rank = reflection.GetInt32(event, &field);
    if (rank < workers) continue;
    problems->push_back(
        {place, absl::StrCat(place, " is ", rank, "; the workers are 0 to ", workers - 1)});
  }
  return problems->size() == before;
}

void CheckLeave(const Faults& faults, int index, const std::string& path,
                std::vector<Problem>* problems) {
  const Faults::Leave& leave = faults.leave(index);
  if (leave.worker() == 0) {
    problems->push_back(
        {path + ".worker", absl::StrCat(path,
                                        ".worker is 0, but the run's records are made beside "
                                        "worker 0: another one must leave")});
  }
  if (leave.has_return_at_step() && leave.return_at_step() <= leave.at_step()) {
    problems->push_back(
        {path + ".return_at_step", absl::StrCat(path, ".return_at_step is ", leave.return_at_step(),
                                                "; worker ", leave.worker(), " leaves at step ",
                                                leave.at_step(), " and must return later")});
  }
  for (int other = 0; other < index; ++other) {
    const Faults::Leave& earlier = faults.leave(other);
    if (earlier.worker() != leave.worker()) continue;
    if (!IsAway(earlier, leave.at_step()) && !IsAway(leave, earlier.at_step())) continue;
    problems->push_back({path, absl::StrCat(path, ": worker ", leave.worker(),
                                            " is away already, by faults.leave[", other, "]")});
  }
}

std::string WorkersText(const std::vector<int>& ranks) {
  constexpr size_t kMost = 8;
  std::vector<int> some(ranks.begin(), ranks.begin() + std::min(ranks.size(), kMost));
  return absl::StrCat(ranks.size() == 1 ? "worker " : "workers ", absl::StrJoin(some, ", "),
                      ranks.size() > kMost ? absl::StrCat(", ... (", ranks.size(), ")") : "");
}

}  // namespace

void CheckFaults(const Experiment& config, const AlgorithmFacts& facts,
                 std::vector<Problem>* problems) {
  const Faults& faults = config.faults();
  const int workers = config.workers();
  if (faults.leave_size() > 0 && !facts.takes_membership) {
    problems->push_back(
        {"faults.leave", absl::StrCat("faults.leave: algorithm \"", config.algorithm().name(),
                                      "\" cannot go on when workers leave or return: there must be "
                                      "no such events")});
  }
  for (int i = 0; i < faults.leave_size(); ++i) {
    const std::string path = absl::StrCat("faults.leave[", i, "]");
    if (CheckFields(faults.leave(i), path, workers, problems)) {
      CheckLeave(faults, i, path, problems);
    }
  }
  for (int i = 0; i < faults.pause_size(); ++i) {
    CheckFields(faults.pause(i), absl::StrCat("faults.pause[", i, "]"), workers, problems);
  }
  for (int i = 0; i < faults.slow_link_size(); ++i) {
    const std::string path = absl::StrCat("faults.slow_link[", i, "]");
    if (!CheckFields(faults.slow_link(i), path, workers, problems)) continue;
    if (faults.slow_link(i).worker() == faults.slow_link(i).other_worker()) {
      problems->push_back(
          {path, absl::StrCat(path, " is from worker ", faults.slow_link(i).worker(),
                              " to itself; there must be two")});
    }
    if (config.backend().name() == "sim") continue;
    problems->push_back({path, absl::StrCat(path, ": backend \"", config.backend().name(),
                                            "\" has no links to slow down; backend \"sim\" has")});
  }
}

absl::StatusOr<std::vector<Era>> MakeEras(const Experiment& config, const Topology* topology) {
  std::set<int64_t> changes;
  for (const Faults::Leave& leave : config.faults().leave()) {
    changes.insert(leave.at_step());
    if (leave.has_return_at_step()) changes.insert(leave.return_at_step());
  }
  std::vector<Era> eras(1);
  eras[0].membership.alive.assign(config.workers(), true);
  eras[0].membership.topology = topology;
  for (int64_t begin : changes) {
    Era era;
    era.begin = begin;
    era.membership.alive.assign(config.workers(), true);
    for (const Faults::Leave& leave : config.faults().leave()) {
      if (IsAway(leave, begin)) era.membership.alive[leave.worker()] = false;
    }
    if (era.membership.alive == eras.back().membership.alive) continue;
    era.membership.epoch = static_cast<int64_t>(eras.size());
    era.membership.topology = topology;
    const bool complete = era.membership.alive == eras[0].membership.alive;
    if (topology != nullptr && !complete) {
      ASSIGN_OR_RETURN(era.repaired, RepairTopology(*topology, era.membership.alive));
      era.membership.topology = era.repaired.get();
    }
    eras.push_back(std::move(era));
  }
  return eras;
}

const Era& EraOf(const std::vector<Era>& eras, int64_t step) {
  size_t era = eras.size() - 1;
  while (era > 0 && eras[era].begin > step) --era;
  return eras[era];
}

bool ChangesAt(const std::vector<Era>& eras, int64_t step) {
  return step > 0 && EraOf(eras, step).begin == step;
}

int64_t ReturnOf(const std::vector<Era>& eras, int worker, int64_t step) {
  for (const Era& era : eras) {
    if (era.begin >= step && era.membership.alive[worker]) return era.begin;
  }
  return -1;
}

std::string FaultsText(const Faults& faults, const std::vector<Era>& eras, int64_t steps) {
  std::string text;
  const auto add = [&](int64_t step, const std::string& event) {
    absl::StrAppend(&text, "  ", event,
                    step < steps ? "" : absl::StrCat(" (the run ends after ", steps, ")"), "\n");
  };
  for (const Faults::Leave& leave : faults.leave()) {
    add(leave.at_step(),
        absl::StrCat("worker ", leave.worker(), " leaves at step ", leave.at_step(),
                     leave.has_return_at_step()
                         ? absl::StrCat(" and returns at ", leave.return_at_step())
                         : ""));
  }
  for (const Faults::Pause& pause : faults.pause()) {
    add(pause.at_step(), absl::StrCat("at step ", pause.at_step(), " worker ", pause.worker(),
                                      " pauses ", pause.seconds(), " s"));
  }
  for (const Faults::SlowLink& link : faults.slow_link()) {
    add(link.from_step(),
        absl::StrCat("link ", link.worker(), "-", link.other_worker(), " at ", link.rate() * 100,
                     " % of its rate from step ", link.from_step(), " on",
                     link.has_until_step() ? absl::StrCat(", until ", link.until_step()) : ""));
  }
  for (const Era& era : eras) {
    if (era.repaired == nullptr || era.begin >= steps) continue;
    std::vector<int> away;
    for (size_t rank = 0; rank < era.membership.alive.size(); ++rank) {
      if (!era.membership.alive[rank]) away.push_back(static_cast<int>(rank));
    }
    absl::StrAppend(&text, "  from step ", era.begin, " on without ", WorkersText(away), ":\n    ",
                    RepairCost(*eras[0].membership.topology, *era.repaired, era.membership.alive),
                    "\n");
  }
  return text;
}

}  // namespace starling
