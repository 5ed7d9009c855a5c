#include "comm/control_channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr uint32_t kMaxMessage = 64 << 20;
constexpr uint32_t kFarewell = 0xffffffff;  // in place of a message's length
constexpr char kKnownWord[] = "starling";   // of a lead whose address is no secret

using SteadyClock = std::chrono::steady_clock;

absl::Status SystemError(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("control channel: ", what, ": ", strerror(errno)));
}

// "pid 4711 on node3".
std::string Self() {
  char host[HOST_NAME_MAX + 1] = "";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat("pid ", getpid(), " on ", host);
}

std::string RandomWord() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) return "";
  std::string word;
  for (unsigned char byte : bytes) absl::StrAppendFormat(&word, "%02x", byte);
  return word;
}

// IPv4 addresses of this machine, the loopback ones last.
std::vector<std::string> OwnAddresses() {
  std::vector<std::string> others, loopback;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {"127.0.0.1"};
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN];
    const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
    ((entry->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : others).push_back(text);
  }
  freeifaddrs(list);
  others.insert(others.end(), loopback.begin(), loopback.end());
  return others;
}

absl::StatusOr<in_addr> AddressOf(const std::string& host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return absl::InvalidArgumentError(absl::StrCat("there is no host \"", host, "\" with an IPv4 ",
                                                   "address: ", gai_strerror(error)));
  }
  const in_addr address = reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr;
  freeaddrinfo(found);
  return address;
}

void SetUp(int socket) {
  const int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  // A host that loses its power closes no connection: ask every 5 s, give up after 4 silences.
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
  const int idle = 5, count = 4;
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
  fcntl(socket, F_SETFD, FD_CLOEXEC);
}

std::string Framed(absl::string_view message) {
  const uint32_t size = static_cast<uint32_t>(message.size());
  std::string framed(reinterpret_cast<const char*>(&size), sizeof(size));
  absl::StrAppend(&framed, message);
  return framed;
}

// Whether `socket` becomes ready for `events` before `end`.
bool Await(int socket, short events, SteadyClock::time_point end) {
  pollfd entry{socket, events, 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
    const int ready = poll(&entry, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// Reads one framed greeting: an empty string if none comes in time.
std::string ReadGreeting(int socket, SteadyClock::time_point end) {
  std::string bytes;
  while (true) {
    uint32_t size = 0;
    if (bytes.size() >= sizeof(size)) {
      memcpy(&size, bytes.data(), sizeof(size));
      if (size > 1024) return "";
      if (bytes.size() >= sizeof(size) + size) return bytes.substr(sizeof(size), size);
    }
    if (!Await(socket, POLLIN, end)) return "";
    char buffer[256];
    const size_t missing = bytes.size() < sizeof(size) ? sizeof(size) - bytes.size()
                                                       : sizeof(size) + size - bytes.size();
    const ssize_t got = recv(socket, buffer, std::min(missing, sizeof(buffer)), 0);
    if (got <= 0) return "";
    bytes.append(buffer, got);
  }
}

}  // namespace

ControlChannel::ControlChannel(int process, int processes) : process_(process), peers_(processes) {
  if (pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) wake_[0] = wake_[1] = -1;
}

absl::StatusOr<std::unique_ptr<ControlChannel>> ControlChannel::Open(int processes,
                                                                     const std::string& host,
                                                                     int* port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(*port));
  at.sin_addr.s_addr = htonl(INADDR_ANY);
  if (!host.empty()) {
    ASSIGN_OR_RETURN(at.sin_addr, AddressOf(host));
  }
  std::unique_ptr<ControlChannel> channel(new ControlChannel(0, processes));
  if (channel->wake_[0] < 0) return SystemError("cannot begin");
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  channel->listener_ = listener;
  // Connections of a run that has just ended would leave a port that everybody knows busy.
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  socklen_t size = sizeof(at);
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0 ||
      listen(listener, SOMAXCONN) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    if (errno == EADDRINUSE) {
      return absl::UnavailableError(
          absl::StrCat("port ", *port, " of ", host, " is taken by another program or run"));
    }
    if (errno == EADDRNOTAVAIL) {
      return absl::InvalidArgumentError(
          absl::StrCat(host, " is no address of this machine, where process 0 runs; it has ",
                       absl::StrJoin(OwnAddresses(), ", ")));
    }
    return SystemError("cannot listen");
  }
  *port = ntohs(at.sin_port);
  return channel;
}

absl::StatusOr<std::unique_ptr<ControlChannel>> ControlChannel::Listen(int processes) {
  int port = 0;
  ASSIGN_OR_RETURN(auto channel, Open(processes, "", &port));
  channel->word_ = RandomWord();
  if (channel->word_.empty()) return SystemError("cannot begin");
  channel->address_ = absl::StrCat(channel->word_, " ", processes, " ", port, " ",
                                   absl::StrJoin(OwnAddresses(), " "));
  return channel;
}

absl::StatusOr<std::unique_ptr<ControlChannel>> ControlChannel::ListenAt(const std::string& host,
                                                                         int port, int processes) {
  ASSIGN_OR_RETURN(auto channel, Open(processes, host, &port));
  channel->word_ = kKnownWord;
  ASSIGN_OR_RETURN(channel->address_, KnownAddress(host, port, processes));
  return channel;
}

absl::StatusOr<std::string> ControlChannel::KnownAddress(const std::string& host, int port,
                                                         int processes) {
  ASSIGN_OR_RETURN(const in_addr at, AddressOf(host));
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &at, text, sizeof(text));
  return absl::StrCat(kKnownWord, " ", processes, " ", port, " ", text);
}

absl::StatusOr<std::unique_ptr<ControlChannel>> ControlChannel::Join(const std::string& address,
                                                                     int process,
                                                                     absl::Duration patience) {
  const std::vector<std::string> words = absl::StrSplit(address, ' ');
  int processes = 0, port = 0;
  if (words.size() < 4 || !absl::SimpleAtoi(words[1], &processes) ||
      !absl::SimpleAtoi(words[2], &port)) {
    return absl::InvalidArgumentError(
        absl::StrCat("control channel: \"", address, "\" is not the address of a lead"));
  }
  std::unique_ptr<ControlChannel> channel(new ControlChannel(process, processes));
  if (channel->wake_[0] < 0) return SystemError("cannot begin");
  const auto end = SteadyClock::now() + absl::ToChronoNanoseconds(patience);
  const std::string greeting = Framed(absl::StrCat(words[0], " ", process, " ", Self()));
  do {
    for (size_t i = 3; i < words.size(); ++i) {
      // An address that exists here too may be somebody else's: only the lead knows the word.
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd < 0) return SystemError("cannot open a socket");
      SetUp(fd);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<uint16_t>(port));
      inet_pton(AF_INET, words[i].c_str(), &to.sin_addr);
      const auto soon = std::min(end, SteadyClock::now() + std::chrono::seconds(2));
      int error = 0;
      socklen_t size = sizeof(error);
      if ((connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 ||
           (errno == EINPROGRESS && Await(fd, POLLOUT, soon))) &&
          getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 &&
          send(fd, greeting.data(), greeting.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(greeting.size())) {
        const std::string answer = ReadGreeting(fd, soon);
        if (answer.rfind(words[0] + " ", 0) == 0) {
          channel->peers_[0].socket = fd;
          channel->peers_[0].who = answer.substr(words[0].size() + 1);
          return channel;
        }
      }
      close(fd);
    }
    poll(nullptr, 0, 20);
  } while (SteadyClock::now() < end);
  return absl::UnavailableError(
      absl::StrCat("process ", process, " (", Self(), ") cannot reach process 0 at port ", port,
                   " of ", absl::StrJoin(words.begin() + 3, words.end(), ", "),
                   "; the nodes must be able to open TCP connections to each other"));
}

absl::Status ControlChannel::AcceptAll(absl::Duration patience) {
  const auto end = SteadyClock::now() + absl::ToChronoNanoseconds(patience);
  const std::string answer = Framed(absl::StrCat(word_, " ", Self()));
  int missing = processes() - 1;
  while (missing > 0) {
    if (!Await(listener_, POLLIN, end)) {
      std::vector<int> absent;
      for (int i = 1; i < processes(); ++i) {
        if (peers_[i].socket < 0) absent.push_back(i);
      }
      return absl::DeadlineExceededError(absl::StrCat(
          "control channel: of ", processes(), " processes these have not come within ",
          absl::FormatDuration(patience), ": ", absl::StrJoin(absent, ", ")));
    }
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    SetUp(fd);
    const std::vector<std::string> words = absl::StrSplit(
        ReadGreeting(fd, std::min(end, SteadyClock::now() + std::chrono::seconds(2))),
        absl::MaxSplits(' ', 2));
    int process = 0;
    if (words.size() == 3 && words[0] == word_ && absl::SimpleAtoi(words[1], &process) &&
        process > 0 && process < processes() && peers_[process].socket < 0 &&
        send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(answer.size())) {
      peers_[process].socket = fd;
      peers_[process].who = words[2];
      --missing;
    } else {
      close(fd);
    }
  }
  close(std::exchange(listener_, -1));
  return absl::OkStatus();
}

absl::Status ControlChannel::Start(Events events, absl::Duration patience) {
  events_ = std::move(events);
  if (process_ == 0) RETURN_IF_ERROR(AcceptAll(patience));
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

ControlChannel::~ControlChannel() {
  Close();
  for (const Peer& peer : peers_) {
    if (peer.socket >= 0) close(peer.socket);
  }
  for (int descriptor : {listener_, wake_[0], wake_[1]}) {
    if (descriptor >= 0) close(descriptor);
  }
}

void ControlChannel::Wake() {
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(wake_[1], &byte, 1);  // a full pipe wakes too
}

void ControlChannel::Send(int to, absl::string_view message) {
  CHECK(to != process_ && (to == 0 || process_ == 0) && message.size() <= kMaxMessage);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Peer& peer = peers_[to];
    if (peer.socket < 0 || closing_) return;
    peer.out += Framed(message);
    // At once, if it can be: a process that is killed next has still said it. That the connection
    // has ended, the thread will find.
    Flush(&peer);
    if (peer.out.empty()) return;
  }
  Wake();
}

void ControlChannel::SendToAll(absl::string_view message) {
  const int last = process_ == 0 ? processes() - 1 : 0;
  for (int to = process_ == 0 ? 1 : 0; to <= last; ++to) Send(to, message);
}

void ControlChannel::Close() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return;
    closing_ = true;
    const std::string farewell(reinterpret_cast<const char*>(&kFarewell), sizeof(kFarewell));
    for (Peer& peer : peers_) {
      if (peer.socket >= 0) peer.out += farewell;
    }
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void ControlChannel::Drop(int process) {
  bool farewell;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Peer& peer = peers_[process];
    close(std::exchange(peer.socket, -1));
    farewell = peer.leaving || closing_;
  }
  if (!farewell && events_.lost) events_.lost(process, peers_[process].who);
}

bool ControlChannel::Read(int process) {
  Peer& peer = peers_[process];
  char buffer[1 << 16];
  bool lives = true;
  while (true) {
    const ssize_t got = recv(peer.socket, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    lives = got > 0;
    if (!lives) break;  // what came before counts
    peer.in.append(buffer, got);
  }
  size_t begin = 0;
  uint32_t size = 0;
  while (peer.in.size() - begin >= sizeof(size)) {
    memcpy(&size, peer.in.data() + begin, sizeof(size));
    if (size == kFarewell) {
      peer.leaving = true;
      begin += sizeof(size);
      continue;
    }
    if (size > kMaxMessage) return false;
    if (peer.in.size() - begin < sizeof(size) + size) break;
    if (events_.message) events_.message(process, peer.in.substr(begin + sizeof(size), size));
    begin += sizeof(size) + size;
  }
  peer.in.erase(0, begin);
  return lives;
}

bool ControlChannel::Flush(Peer* peer) {
  size_t done = 0;
  bool lives = true;
  while (done < peer->out.size()) {
    const ssize_t sent = send(peer->socket, peer->out.data() + done, peer->out.size() - done,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      lives = errno == EAGAIN || errno == EWOULDBLOCK;
      break;
    }
    done += sent;
  }
  peer->out.erase(0, done);
  return lives;
}

bool ControlChannel::Write(int process) {
  std::lock_guard<std::mutex> lock(mutex_);
  return Flush(&peers_[process]);
}

void ControlChannel::Loop() {
  SteadyClock::time_point end = SteadyClock::time_point::max();
  while (true) {
    std::vector<pollfd> entries = {{wake_[0], POLLIN, 0}};
    std::vector<int> processes;
    bool unsent = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (int i = 0; i < static_cast<int>(peers_.size()); ++i) {
        if (peers_[i].socket < 0) continue;
        const bool writes = !peers_[i].out.empty();
        unsent |= writes;
        entries.push_back(
            {peers_[i].socket, static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0});
        processes.push_back(i);
      }
      if (closing_) {
        if (end == SteadyClock::time_point::max()) {
          end = SteadyClock::now() + std::chrono::seconds(2);
        }
        if (!unsent || SteadyClock::now() >= end) return;
      }
    }
    if (poll(entries.data(), entries.size(), 200) < 0) continue;
    char drained[64];
    while (read(wake_[0], drained, sizeof(drained)) > 0) {
    }
    for (size_t i = 1; i < entries.size(); ++i) {
      const int process = processes[i - 1];
      bool lives = true;
      if ((entries[i].revents & POLLOUT) != 0) lives = Write(process);
      if (lives && (entries[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) lives = Read(process);
      if (!lives) Drop(process);
    }
  }
}

}  // namespace starling
