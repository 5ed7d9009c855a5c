#include "comm/nccl/referee.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace starling {
namespace {

MessageKey KeyOf(const NcclEnd& end) {
  return {static_cast<uint16_t>(end.stream()), end.round(), end.bucket(),
          static_cast<uint16_t>(end.part())};
}

MessageKey KeyOf(const NcclSum& sum) {
  return {static_cast<uint16_t>(sum.stream()), sum.round(), sum.bucket(), 0};
}

}  // namespace

Referee::Referee(int workers, Give give)
    : workers_(workers), give_(std::move(give)), boxes_(workers), pairs_(workers) {
  lanes_.fill(-1);
}

void Referee::Begin(const std::string& world) {
  std::lock_guard<std::mutex> lock(mutex_);
  NcclOrder order;
  order.set_world(world);
  for (int worker = 0; worker < workers_; ++worker) give_(worker, order);
}

void Referee::OnPost(int from, const NcclPost& post) {
  std::lock_guard<std::mutex> lock(mutex_);
  Orders orders;
  if (post.withdraws()) {
    Withdraw(from, post, &orders);
  } else {
    for (const NcclEnd& end : post.receives()) PostReceive(from, end, &orders);
    for (const NcclEnd& end : post.sends()) PostSend(from, end, &orders);
    if (post.has_sum()) PostSum(from, post.sum(), &orders);
  }
  for (const auto& [worker, order] : orders) give_(worker, order);
}

void Referee::PostSend(int from, const NcclEnd& end, Orders* orders) {
  auto& box = boxes_[end.peer()];
  Waiting& waiting = box[KeyOf(end)];
  const auto found =
      std::find_if(waiting.receives.begin(), waiting.receives.end(), [&](const Open& receive) {
        return receive.end.peer() == from || receive.end.peer() == kAnyone;
      });
  if (found != waiting.receives.end()) {
    const Open receive = *found;
    waiting.receives.erase(found);
    if (waiting.receives.empty() && waiting.sends.empty()) box.erase(KeyOf(end));
    return Match({from, end}, receive, orders);
  }
  for (const Open& other : waiting.sends) {
    if (other.worker != from) continue;
    (*orders)[from].set_mistake(absl::StrCat("worker ", from, " sends ", ToString(KeyOf(end)),
                                             " to worker ", end.peer(), " twice"));
    return;
  }
  waiting.sends.push_back({from, end});
}

void Referee::PostReceive(int from, const NcclEnd& end, Orders* orders) {
  auto& box = boxes_[from];
  Waiting& waiting = box[KeyOf(end)];
  const auto found = std::find_if(
      waiting.sends.begin(), waiting.sends.end(),
      [&](const Open& send) { return end.peer() == send.worker || end.peer() == kAnyone; });
  if (found != waiting.sends.end()) {
    const Open send = std::move(*found);
    waiting.sends.erase(found);
    if (waiting.receives.empty() && waiting.sends.empty()) box.erase(KeyOf(end));
    return Match(send, {from, end}, orders);
  }
  waiting.receives.push_back({from, end});
}

void Referee::Match(const Open& send, const Open& receive, Orders* orders) {
  const int64_t bytes = send.end.bytes();
  const bool fits = bytes <= receive.end.bytes();
  if (fits && bytes > 0 && send.end.on_card() != receive.end.on_card()) {
    const char* const places[] = {"the host", "its card"};
    (*orders)[receive.worker].set_mistake(absl::StrCat(
        "worker ", send.worker, " sends ", ToString(KeyOf(send.end)), " from ",
        places[send.end.on_card()], ", worker ", receive.worker, " receives it on ",
        places[receive.end.on_card()], "; both ends must lie in the same kind of memory"));
    return;
  }
  if (!fits || !send.end.on_card()) {
    NcclOrder order;  // of its own: several might be more than the control channel takes
    auto* arrival = order.add_arrivals();
    arrival->set_number(receive.end.number());
    arrival->set_from(send.worker);
    arrival->set_bytes(bytes);
    if (fits) arrival->set_payload(send.end.payload());
    give_(receive.worker, order);
    if (send.end.on_card()) (*orders)[send.worker].add_taken(send.end.number());
    return;
  }
  const int communicator = CommunicatorOf(send.worker, receive.worker);
  auto* out = (*orders)[send.worker].add_sends();
  out->set_number(send.end.number());
  out->set_peer(receive.worker);
  auto* in = (*orders)[receive.worker].add_receives();
  in->set_number(receive.end.number());
  in->set_peer(send.worker);
  for (auto* move : {out, in}) {
    move->set_bytes(bytes);
    move->set_communicator(communicator);
  }
}

void Referee::PostSum(int from, const NcclSum& sum, Orders* orders) {
  const std::vector<int> group(sum.group().begin(), sum.group().end());
  const SumKey key{group, sum.stream(), sum.round(), sum.bucket()};
  OpenSum& open = sums_[key];
  const auto [posted, is_new] = open.posted.emplace(from, sum);
  if (!is_new) {
    (*orders)[from].set_mistake(
        absl::StrCat("worker ", from, " takes part twice in the sum ", ToString(KeyOf(sum))));
    return;
  }
  if (open.posted.size() < group.size()) return;
  for (const auto& [worker, other] : open.posted) {
    if (other.count() == sum.count() && other.type() == sum.type()) continue;
    (*orders)[from].set_mistake(absl::StrCat(
        "the sum ", ToString(KeyOf(sum)), " of workers ", absl::StrJoin(group, ", "), " is over ",
        sum.count(), " elements at worker ", from, " and over ", other.count(), " at worker ",
        worker, sum.count() == other.count() ? ", of another type" : ""));
    return;
  }
  auto found = groups_.find(group);
  if (found == groups_.end()) found = groups_.emplace(group, MakeCommunicator(group)).first;
  for (const auto& [worker, own] : open.posted) {
    auto* part = (*orders)[worker].add_sums();
    part->set_number(own.number());
    part->set_communicator(found->second);
  }
  sums_.erase(key);
}

void Referee::Withdraw(int from, const NcclPost& post, Orders* orders) {
  const auto take = [&](int to, const NcclEnd& end, std::list<Open> Waiting::*ends) {
    const auto box = boxes_[to].find(KeyOf(end));
    if (box == boxes_[to].end()) return;
    (box->second.*ends).remove_if([&](const Open& open) {
      if (open.worker != from || open.end.number() != end.number()) return false;
      (*orders)[from].add_withdrawn(end.number());
      return true;
    });
    if (box->second.sends.empty() && box->second.receives.empty()) boxes_[to].erase(box);
  };
  for (const NcclEnd& end : post.sends()) take(end.peer(), end, &Waiting::sends);
  for (const NcclEnd& end : post.receives()) take(from, end, &Waiting::receives);
  if (!post.has_sum()) return;
  const NcclSum& sum = post.sum();
  const auto found = sums_.find({std::vector<int>(sum.group().begin(), sum.group().end()),
                                 sum.stream(), sum.round(), sum.bucket()});
  if (found == sums_.end() || found->second.posted.erase(from) == 0) return;
  if (found->second.posted.empty()) sums_.erase(found);
  (*orders)[from].add_withdrawn(sum.number());
}

int Referee::CommunicatorOf(int a, int b) {
  if (a == b) return -1;
  const std::pair<int, int> pair = std::minmax(a, b);
  auto found = lane_of_.find(pair);
  if (found == lane_of_.end()) {
    int best = 0;
    const auto used = [&](int lane) { return pairs_[a][lane] + pairs_[b][lane]; };
    for (int lane = 1; lane < kLanes; ++lane) {
      if (used(lane) < used(best)) best = lane;
    }
    ++pairs_[a][best];
    ++pairs_[b][best];
    found = lane_of_.emplace(pair, best).first;
  }
  int& communicator = lanes_[found->second];
  if (communicator < 0) {
    std::vector<int> everyone;
    for (int worker = 0; worker < workers_; ++worker) everyone.push_back(worker);
    communicator = MakeCommunicator(everyone);
  }
  return communicator;
}

int Referee::MakeCommunicator(const std::vector<int>& members) {
  NcclOrder order;
  auto* make = order.add_make();
  for (int member : members) make->add_members(member);
  for (int worker = 0; worker < workers_; ++worker) give_(worker, order);
  return communicators_++;
}

}  // namespace starling
