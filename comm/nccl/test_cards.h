// Cards without CUDA: what the dispatcher needs of them, with all that can go wrong about streams.
// Memory on a card is the host's.
//
// A card is given operations one after the other, each in a communicator's stream. An operation
// begins, at a random time, when those before it in its stream have ended and what it waits for has
// passed; and, since real cards are short of connections and of room, only if it is among the first
// `most_at_once` that have not ended, in the sequence in which they were given. It ends when all
// its partners have begun as well. On the host, too, workers wait for each other where NCCL's do:
// all for a new communicator, two when they first talk in one.
#ifndef COMM_NCCL_TEST_CARDS_H_
#define COMM_NCCL_TEST_CARDS_H_

#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "comm/nccl/carrier.h"
#include "core/random/random.h"

namespace starling {

class TestCards {
 public:
  TestCards(int cards, int most_at_once, uint64_t seed);

  // Of worker `rank`; the cards must live longer.
  std::unique_ptr<Carrier> NewCarrier(int rank);

  // What this card is given from now on never begins.
  void Block(int card);

  // Whether all that the cards were given has ended.
  bool idle();

 private:
  class TestCarrier;
  class TestPoint;

  struct Operation;
  // A message, between its ends, or a sum, between all members.
  struct Meeting {
    size_t parties = 0;
    std::vector<std::pair<Operation*, Buffer>> arrived;  // of a message: the sender first
    bool done = false;
  };
  // (communicator, sender, receiver, how manieth); -1 for both workers: a sum.
  using MeetingKey = std::tuple<int, int, int, int64_t>;
  struct Operation {
    int communicator = 0;
    std::vector<Meeting*> meetings;
    std::vector<Carrier::PointPtr> after;
    std::shared_ptr<TestPoint> end;
    bool began = false;
  };

  // With mutex_ held.
  void GoOn();
  void BeginSome();
  bool Hold(Meeting* meeting);
  bool EndSome();

  const int most_at_once_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Random random_;
  std::vector<std::list<Operation>> given_;  // by card; what has not ended
  int blocked_ = -1;                         // a card
  std::map<MeetingKey, Meeting> meetings_;
  std::deque<std::pair<std::vector<int>, int>> communicators_;  // members; how many made it
};

}  // namespace starling

#endif  // COMM_NCCL_TEST_CARDS_H_
