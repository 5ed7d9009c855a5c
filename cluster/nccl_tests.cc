#include "cluster/nccl_tests.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/run/file_io.h"
#include "core/status.h"

namespace starling {
namespace {

using Words = std::vector<absl::string_view>;

struct Rank {
  int rank = 0;
  int group = 0;  // its communicator
  std::string host;
};

// A run as it stands in the file.
struct RawRun {
  int line = 0;      // where it starts
  std::string test;  // "all_reduce_perf"; empty: not said
  std::vector<Rank> ranks;
  std::vector<NcclRun::Row> rows;
  double bus_over_algorithm = 0;  // of the fastest row
  double fastest = 0;             // GB/s
  // The table's columns from the first "time" on, as its header says.
  Words columns;
};

// Words of the line "#  Rank  0 Group  0 Pid  7 on  host device  0 ...", after the mark.
absl::StatusOr<Rank> ParseRank(const Words& words) {
  Rank rank;
  const auto on = std::find(words.begin(), words.end(), "on");
  if (!absl::SimpleAtoi(words[1], &rank.rank) || rank.rank < 0 || on == words.end() ||
      on + 1 == words.end()) {
    return absl::InvalidArgumentError("a rank's line reads \"Rank 0 Group 0 Pid 7 on HOST ...\"");
  }
  rank.host = std::string(on[1]);
  if (words[2] == "Group" && (!absl::SimpleAtoi(words[3], &rank.group) || rank.group < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", words[3], "\" is no group"));
  }
  return rank;
}

// Columns of a row count from its right end: what stands to the left of the times differs between
// versions and collectives.
absl::Status ParseRow(const Words& words, RawRun* run) {
  const size_t columns = run->columns.size();
  if (words.size() < columns + 2) {
    return absl::InvalidArgumentError(absl::StrCat("the row has ", words.size(),
                                                   " columns, the table's header more; is the "
                                                   "line whole?"));
  }
  NcclRun::Row row;
  if (!absl::SimpleAtod(words[0], &row.bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", words[0], "\" is no size"));
  }
  double algorithm = 0, bus = 0;
  for (size_t i = 0; i < columns; ++i) {
    const absl::string_view word = words[words.size() - columns + i];
    const absl::string_view column = run->columns[i];
    if (column == "#wrong") {
      if (word != "0" && word != "N/A") {
        return absl::InvalidArgumentError(absl::StrCat(
            word, " wrong values: the network or a GPU is faulty, and so are the times"));
      }
      continue;
    }
    if (column != "time" && column != "algbw" && column != "busbw") continue;
    double value;
    if (!absl::SimpleAtod(word, &value) || !std::isfinite(value) || value < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", word, "\" in column ", column, " is no number"));
    }
    if (column == "time" && value > 0) row.us.push_back(value);
    if (column == "algbw") algorithm = value;
    if (column == "busbw") bus = value;
  }
  if (algorithm > run->fastest) {
    run->fastest = algorithm;
    run->bus_over_algorithm = bus / algorithm;
  }
  if (row.bytes > 0 && !row.us.empty()) run->rows.push_back(std::move(row));
  return absl::OkStatus();
}

absl::Status ParseLine(const Words& words, RawRun* run) {
  if (words[0] == "#") {
    if (words.size() >= 5 && words[1] == "Rank") {
      ASSIGN_OR_RETURN(Rank rank, ParseRank(Words(words.begin() + 1, words.end())));
      run->ranks.push_back(std::move(rank));
    }
    if (words.size() >= 4 && words[1] == "size" && words[2] == "count") {
      run->columns = Words(std::find(words.begin(), words.end(), "time"), words.end());
    }
    return absl::OkStatus();
  }
  // Other lines are of mpirun, of NCCL's log or of the shell.
  const bool row = words.size() > 2 && std::isdigit(static_cast<unsigned char>(words[0][0])) &&
                   std::isdigit(static_cast<unsigned char>(words[1][0]));
  if (!row || run->columns.empty()) return absl::OkStatus();
  return ParseRow(words, run);
}

// Sets ranks, nodes, ranks_per_node, crosses and flows.
absl::Status Place(std::vector<Rank> ranks, NcclRun* run) {
  std::sort(ranks.begin(), ranks.end(),
            [](const Rank& a, const Rank& b) { return a.rank < b.rank; });
  std::map<std::string, int> on_host;
  std::map<int, Words> hosts_of_group;  // in the order of ranks
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) {
    if (ranks[r].rank > r) {
      return absl::InvalidArgumentError(absl::StrCat("rank ", r, " is not listed"));
    }
    if (ranks[r].rank < r) {
      return absl::InvalidArgumentError(
          absl::StrCat("rank ", ranks[r].rank,
                       " is listed twice: each process ran alone, because nccl-tests was built "
                       "without MPI=1, or the file mixes several runs"));
    }
    ++on_host[ranks[r].host];
    hosts_of_group[ranks[r].group].push_back(ranks[r].host);
  }
  run->nodes = static_cast<int>(on_host.size());
  run->ranks_per_node = on_host.begin()->second;
  run->ranks = static_cast<int>(hosts_of_group.begin()->second.size());
  for (const auto& [host, count] : on_host) {
    if (count == run->ranks_per_node) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("host ", host, " has ", count, " ranks, host ", on_host.begin()->first,
                     " has ", run->ranks_per_node, "; run with equally many on each"));
  }
  std::map<absl::string_view, int> leaving;  // streams out of each host
  for (const auto& [group, hosts] : hosts_of_group) {
    if (hosts.size() != static_cast<size_t>(run->ranks)) {
      return absl::InvalidArgumentError(
          absl::StrCat("group ", group, " has ", hosts.size(), " ranks, another has ", run->ranks));
    }
    const std::set<absl::string_view> distinct(hosts.begin(), hosts.end());
    if (distinct.size() == 1) continue;
    run->crosses = true;
    if (run->all_reduce) {  // NCCL's rings enter and leave each machine once
      for (absl::string_view host : distinct) ++leaving[host];
      continue;
    }
    for (size_t i = 0; i < hosts.size(); ++i) {
      if (hosts[i] != hosts[(i + 1) % hosts.size()]) ++leaving[hosts[i]];
    }
  }
  for (const auto& [host, streams] : leaving) run->flows = std::max(run->flows, streams);
  return absl::OkStatus();
}

absl::StatusOr<NcclRun> Understand(RawRun raw, absl::string_view file) {
  const auto error = [&](absl::string_view message) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", raw.line, ": ", message));
  };
  if (raw.rows.empty()) return error("the run printed no row with a size and a time");
  if (raw.ranks.empty()) {
    return error("lines \"#  Rank  0 ... on HOST\" are missing, which say where the ranks ran");
  }
  NcclRun run;
  run.file = std::string(file);
  run.rows = std::move(raw.rows);
  const int per_group =
      static_cast<int>(std::count_if(raw.ranks.begin(), raw.ranks.end(), [&](const Rank& rank) {
        return rank.group == raw.ranks[0].group;
      }));
  if (per_group < 2) return error("the run has one rank; nothing travels");
  if (raw.test.empty()) {
    // Of two ranks, both collectives move as much; an older sendrecv_perf does not say its name.
    const auto near = [&](double ratio) {
      return std::abs(raw.bus_over_algorithm - ratio) < 0.02 * ratio;
    };
    if (near(2.0 * (per_group - 1) / per_group)) {
      raw.test = "all_reduce_perf";
    } else if (near(1)) {
      raw.test = "sendrecv_perf";
    } else {
      return error("the ratio of busbw to algbw is of neither all_reduce_perf nor sendrecv_perf");
    }
  }
  run.all_reduce = absl::StartsWith(raw.test, "all_reduce");
  if (!run.all_reduce && !absl::StartsWith(raw.test, "sendrecv")) {
    return error(absl::StrCat(raw.test, ": only all_reduce_perf and sendrecv_perf are understood"));
  }
  const absl::Status placed = Place(std::move(raw.ranks), &run);
  if (!placed.ok()) return error(placed.message());
  return run;
}

// A figure, and how far the rows that show it differ.
struct Estimate {
  double value = 0;
  double relative = 0;  // standard deviation
};

Estimate MedianOf(std::vector<double> values) {
  Estimate result;
  double squares = 0;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  result.value = (values[(n - 1) / 2] + values[n / 2]) / 2;
  for (double value : values) squares += std::pow(value / result.value - 1, 2);
  if (n > 1) result.relative = std::sqrt(squares / static_cast<double>(n - 1));
  return result;
}

constexpr double kSmallBytes = 1024, kLargeBytes = 1e6;

// Of the small rows; 0 without them.
Estimate LatencyUs(const NcclRun& run) {
  std::vector<double> us;
  for (const NcclRun::Row& row : run.rows) {
    if (row.bytes <= kSmallBytes) us.insert(us.end(), row.us.begin(), row.us.end());
  }
  return us.empty() ? Estimate() : MedianOf(std::move(us));
}

// Appends what each large row says of the rate of one stream, times the streams, in Gbit/s.
void AppendRates(const NcclRun& run, std::vector<double>* gbps) {
  double largest = 0;
  for (const NcclRun::Row& row : run.rows) largest = std::max(largest, row.bytes);
  const double latency = LatencyUs(run).value;
  for (const NcclRun::Row& row : run.rows) {
    if (row.bytes < std::min(kLargeBytes, largest)) continue;
    for (double us : row.us) {
      // A large row faster than small ones tells nothing of the latency.
      const double moving = us > latency ? us - latency : us;
      gbps->push_back(run.flows * run.volume() * row.bytes * 8e-3 / moving);
    }
  }
}

void AddSpread(absl::string_view field, double relative, ClusterSpec* spec) {
  Spread* spread = spec->add_spread();
  spread->set_field(std::string(field));
  spread->set_relative(relative);
}

// latency = collective + hops hop, least squares, neither negative.
void FitLatency(absl::Span<const NcclRun* const> runs, ClusterSpec* spec) {
  double n = 0, sum_h = 0, sum_hh = 0, sum_t = 0, sum_ht = 0, relative = 0;
  for (const NcclRun* run : runs) {
    const Estimate latency = LatencyUs(*run);
    if (latency.value == 0) continue;
    const double t = latency.value, h = run->hops();
    n += 1, sum_h += h, sum_hh += h * h, sum_t += t, sum_ht += h * t;
    relative = std::max(relative, latency.relative);
  }
  if (n == 0) return;
  const double determinant = n * sum_hh - sum_h * sum_h;  // 0: all runs have as many hops
  double hop = determinant > 0 ? std::max(0.0, (n * sum_ht - sum_h * sum_t) / determinant) : 0;
  double collective = (sum_t - hop * sum_h) / n;
  if (collective < 0) {
    collective = 0;
    hop = sum_ht / sum_hh;
  }
  spec->set_collective_latency_us(collective);
  spec->set_hop_latency_us(hop);
  AddSpread("collective_latency_us", relative, spec);
}

}  // namespace

absl::StatusOr<std::vector<NcclRun>> ParseNcclTests(absl::string_view text,
                                                    absl::string_view file) {
  std::vector<NcclRun> runs;
  RawRun raw;
  const auto finish = [&]() -> absl::Status {
    const RawRun finished = std::exchange(raw, RawRun());
    if (finished.ranks.empty() && finished.rows.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(NcclRun run, Understand(finished, file));
    runs.push_back(std::move(run));
    return absl::OkStatus();
  };
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const Words words = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (absl::StrContains(line, "# Collective test starting:")) {  // newer versions
      RETURN_IF_ERROR(finish());
      raw.test = std::string(words.back());
    } else if (absl::StartsWith(line, "# nThread")) {
      if (!raw.rows.empty()) RETURN_IF_ERROR(finish());
      raw.line = number;
    } else {
      RETURN_IF_ERROR(WithContext(ParseLine(words, &raw), absl::StrCat(file, ":", number)));
    }
  }
  RETURN_IF_ERROR(finish());
  if (!runs.empty()) return runs;
  return absl::InvalidArgumentError(absl::StrCat(
      file, ": no output of nccl-tests: there is no table \"# size count type ... time ...\""));
}

absl::StatusOr<ClusterSpec> FitNcclRuns(absl::Span<const NcclRun> runs) {
  std::vector<double> inside, alone, together;
  std::vector<const NcclRun*> across;
  ClusterSpec spec;
  int per_node = 1;
  std::set<std::string> files;
  for (const NcclRun& run : runs) {
    per_node = std::max(per_node, run.ranks_per_node);
    if (run.crosses) across.push_back(&run);
    AppendRates(run, !run.crosses ? &inside : run.flows == 1 ? &alone : &together);
    files.insert(run.file);
  }
  if (across.empty()) {
    return absl::InvalidArgumentError(
        "no run has ranks on two machines, so nothing is known of the network; add one: "
        "mpirun -N 1 -np 2 ... all_reduce_perf -b 8 -e 1G -f 2");
  }
  if (inside.empty() && per_node > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("machines have ", per_node,
                     " ranks, but no run stays on one machine; add one: "
                     "all_reduce_perf -b 8 -e 1G -f 2 -g ",
                     per_node));
  }
  spec.set_source(absl::StrCat("nccl-tests: ", absl::StrJoin(files, ", ")));
  spec.set_collective(ClusterSpec::RING);
  spec.set_workers_per_node(per_node);
  if (!inside.empty()) {
    const Estimate rate = MedianOf(std::move(inside));
    spec.set_node_gbps(rate.value);
    AddSpread("node_gbps", rate.relative, &spec);
  }
  // What one stream gets, a card can carry.
  const bool both = !alone.empty() && !together.empty();
  const Estimate one = alone.empty() ? Estimate() : MedianOf(std::move(alone));
  const Estimate all = together.empty() ? one : MedianOf(std::move(together));
  const Estimate& card = all.value > one.value ? all : one;
  spec.set_nic_gbps(card.value);
  AddSpread("nic_gbps", card.relative, &spec);
  if (both) {
    spec.set_communicator_gbps(one.value);
    AddSpread("communicator_gbps", one.relative, &spec);
  }
  FitLatency(across, &spec);
  return spec;
}

absl::StatusOr<ClusterSpec> ImportNcclTests(absl::Span<const std::string> files) {
  std::vector<NcclRun> runs;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    ASSIGN_OR_RETURN(std::vector<NcclRun> of_file, ParseNcclTests(text, file));
    runs.insert(runs.end(), of_file.begin(), of_file.end());
  }
  return FitNcclRuns(runs);
}

}  // namespace starling
