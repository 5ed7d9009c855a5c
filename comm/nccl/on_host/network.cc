#include "comm/nccl/on_host/network.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling::nccl_on_host {
namespace {

struct Header {
  int64_t from;
  uint64_t channel, bytes;
};

// In Linux's abstract namespace, which leaves no files behind.
socklen_t AddressOf(const std::string& name, int rank, sockaddr_un* address) {
  const std::string path = absl::StrCat(name, "-", rank);
  *address = {};
  address->sun_family = AF_UNIX;
  CHECK_LT(path.size() + 1, sizeof(address->sun_path));
  std::memcpy(address->sun_path + 1, path.data(), path.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + path.size());
}

// All bytes; false: the other end has gone.
bool WriteAll(int socket, const void* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n =
        send(socket, static_cast<const char*>(data) + done, bytes - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}
bool ReadAll(int socket, void* data, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = recv(socket, static_cast<char*>(data) + done, bytes - done, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

Network::Network(std::string name, int rank, int size)
    : name_(std::move(name)), rank_(rank), to_(size, -1) {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address;
  const socklen_t length = AddressOf(name_, rank, &address);
  PCHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
  PCHECK(listen(listener_, size) == 0);
  listening_ = std::thread([this] { Listen(); });
}

Network::~Network() {
  GiveUp();
  listening_.join();
  for (std::thread& thread : reading_) thread.join();
  for (int socket : from_) close(socket);
  for (int socket : to_) {
    if (socket >= 0) close(socket);
  }
  close(listener_);
}

void Network::GiveUp() {
  std::lock_guard<std::mutex> lock(mutex_);
  given_up_ = true;
  changed_.notify_all();
  shutdown(listener_, SHUT_RDWR);
  for (int socket : from_) shutdown(socket, SHUT_RDWR);
}

bool Network::Connect() {
  for (int peer = 0; peer < size(); ++peer) {
    sockaddr_un address;
    const socklen_t length = AddressOf(name_, peer, &address);
    to_[peer] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (connect(to_[peer], reinterpret_cast<sockaddr*>(&address), length) != 0) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(5));
      if (given_up_) return false;
    }
  }
  // Nobody may leave before everybody has found him.
  constexpr uint64_t kGreeting = 0;
  for (int peer = 0; peer < size(); ++peer) {
    if (!Send(peer, kGreeting, nullptr, 0)) return false;
  }
  for (int peer = 0; peer < size(); ++peer) {
    if (!Receive(peer, kGreeting, nullptr, 0)) return false;
  }
  return true;
}

bool Network::Send(int peer, uint64_t channel, const void* data, size_t bytes) {
  const Header header{rank_, channel, bytes};
  return WriteAll(to_[peer], &header, sizeof(header)) && WriteAll(to_[peer], data, bytes);
}

bool Network::Receive(int peer, uint64_t channel, void* data, size_t bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  auto& messages = arrived_[{peer, channel}];
  changed_.wait(lock, [&] { return given_up_ || !messages.empty(); });
  if (messages.empty()) return false;
  CHECK_EQ(messages.front().size(), bytes) << "from process " << peer << " to " << rank_;
  if (bytes > 0) std::memcpy(data, messages.front().data(), bytes);
  messages.pop_front();
  return true;
}

void Network::Listen() {
  for (;;) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    std::lock_guard<std::mutex> lock(mutex_);
    if (given_up_) {
      if (socket >= 0) close(socket);
      return;
    }
    if (socket < 0) continue;
    from_.push_back(socket);
    reading_.emplace_back([this, socket] { ReadFrom(socket); });
  }
}

void Network::ReadFrom(int socket) {
  Header header;
  while (ReadAll(socket, &header, sizeof(header))) {
    std::string payload(header.bytes, '\0');
    if (!ReadAll(socket, payload.data(), payload.size())) return;
    std::lock_guard<std::mutex> lock(mutex_);
    arrived_[{static_cast<int>(header.from), header.channel}].push_back(std::move(payload));
    changed_.notify_all();
  }
}

}  // namespace starling::nccl_on_host
