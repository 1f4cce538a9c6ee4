#include "launcher/rank_streams.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::launcher {
namespace {

constexpr std::size_t longest_hello = 4096;  // bytes
constexpr int most_waiting = 4096;           // ranks that start at once

struct Address {
  sockaddr_un name{};
  socklen_t size = 0;
};

// A name in the abstract namespace begins with a zero byte and has no file.
Address abstract(const std::string& text) {
  Address address;
  address.name.sun_family = AF_UNIX;
  const std::size_t length = std::min(text.size(), sizeof address.name.sun_path - 1);
  std::memcpy(address.name.sun_path + 1, text.data(), length);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  return address;
}

const sockaddr* as_sockaddr(const Address& address) { return reinterpret_cast<const sockaddr*>(&address.name); }

// Anybody on the host may connect to an abstract name; only our own ranks are listened to.
bool is_ours(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

// One message: the hello, and two descriptors.
struct Message {
  msghdr header{};
  iovec body{};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};

  Message(void* text, std::size_t size) {
    body = {text, size};
    header.msg_iov = &body;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
};

}  // namespace

std::string make_output_address() {
  unsigned char bytes[12];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    throw Error::from_errno("getrandom", errno);
  std::string address = "viaduct-";
  for (const unsigned char byte : bytes)
    address += str(static_cast<char>('a' + byte / 16), static_cast<char>('a' + byte % 16));
  return address;
}

std::string output_address_of_node(const std::string& address, int node) { return str(address, ".", node); }

RankStreams::RankStreams(const std::string& text) {
  listener_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const Address address = abstract(text);
  if (!listener_ || ::bind(listener_.get(), as_sockaddr(address), address.size) != 0 ||
      ::listen(listener_.get(), most_waiting) != 0)
    throw Error::from_errno("can't listen for the ranks' output", errno);
}

void RankStreams::add_polls(std::vector<pollfd>& fds) const {
  fds.push_back({listener_.get(), POLLIN, 0});
  for (const auto& stream : streams_) fds.push_back({stream.fd.get(), POLLIN, 0});
}

void RankStreams::read(const RankStreamSink& sink) {
  accept_ranks(sink);
  std::erase_if(streams_, [&](Stream& stream) { return !read_stream(stream, sink); });
}

void RankStreams::accept_ranks(const RankStreamSink& sink) {
  for (;;) {
    const Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) return;
    if (!is_ours(socket.get())) continue;
    std::string text(longest_hello, '\0');
    Message message(text.data(), text.size());
    const ssize_t got = ::recvmsg(socket.get(), &message.header, MSG_CMSG_CLOEXEC);
    const cmsghdr* control = CMSG_FIRSTHDR(&message.header);
    if (got <= 0 || !control || control->cmsg_type != SCM_RIGHTS || control->cmsg_len != CMSG_LEN(2 * sizeof(int)))
      continue;
    int fds[2];
    std::memcpy(fds, CMSG_DATA(control), sizeof fds);
    Fd out(fds[0]);
    Fd err(fds[1]);
    const auto hello = parse_hello(trim(std::string_view(text).substr(0, static_cast<std::size_t>(got))));
    if (!hello) continue;
    for (Fd* fd : {&out, &err}) {
      set_non_blocking(fd->get());
      streams_.push_back({std::move(*fd), hello->rank, fd == &err, ""});
    }
    if (sink.hello) sink.hello(*hello);
  }
}

bool RankStreams::read_stream(Stream& stream, const RankStreamSink& sink) {
  const auto [chunk, ready] = read_some(stream.fd.get());
  if (!ready) return true;
  stream.partial += chunk;
  std::size_t start = 0;
  for (auto end = stream.partial.find('\n'); end != std::string::npos; end = stream.partial.find('\n', start)) {
    sink.line(stream.rank, stream.is_error, std::string_view(stream.partial).substr(start, end - start));
    start = end + 1;
  }
  stream.partial.erase(0, start);
  if (stream.partial.size() > longest_line || (chunk.empty() && !stream.partial.empty())) {
    sink.line(stream.rank, stream.is_error, stream.partial);
    stream.partial.clear();
  }
  return !chunk.empty();
}

void RankStreams::finish(const RankStreamSink& sink) {
  for (auto& stream : streams_)
    if (!stream.partial.empty()) sink.line(stream.rank, stream.is_error, stream.partial);
  streams_.clear();
}

void connect_rank_streams(const std::string& to, const RankHello& hello) {
  const Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const Address address = abstract(to);
  if (!socket || ::connect(socket.get(), as_sockaddr(address), address.size) != 0)
    throw Error::from_errno("can't reach viaduct-agent launch, or the relay of this host", errno);
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  std::string text = format_hello(hello);
  Message message(text.data(), text.size());
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(2 * sizeof(int));
  const int fds[2] = {out.read_end.get(), err.read_end.get()};
  std::memcpy(CMSG_DATA(control), fds, sizeof fds);
  if (::sendmsg(socket.get(), &message.header, 0) < 0)
    throw Error::from_errno("can't hand the output to viaduct-agent launch", errno);
  if (::dup2(out.write_end.get(), STDOUT_FILENO) < 0 || ::dup2(err.write_end.get(), STDERR_FILENO) < 0)
    throw Error::from_errno("dup2", errno);
}

}  // namespace viaduct::launcher
