#include "hosts/host_link.h"

#include <string.h>  // explicit_bzero
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "hosts/bootstrap.h"

namespace viaduct::hosts {
namespace {

constexpr std::size_t longest_error = 4096;                    // bytes of a line of what ssh says
constexpr std::size_t longest_prelude = std::size_t{1} << 20;  // bytes a login script may print before we are heard

// What the user would type himself, but never with a question, and with a notice when the host is gone.
std::vector<std::string> ssh_command(const std::string& name, const std::string& command,
                                     const Environment& environment) {
  return {own_executable().string(),
          "tether",
          std::to_string(::getpid()),
          "--",
          environment.get_or("VIADUCT_SSH", "ssh"),
          "-T",
          "-x",
          "-a",
          "-o",
          "BatchMode=yes",
          "-o",
          "ConnectTimeout=15",
          "-o",
          "ServerAliveInterval=5",
          "-o",
          "ServerAliveCountMax=3",
          "-o",
          "ClearAllForwardings=yes",
          "--",
          name,
          command};
}

}  // namespace

HostLink::HostLink(const std::string& name, const std::string& command, std::string_view agent,
                   const Environment& environment, EventLoop& loop, LinkOwner& owner)
    : name_(name), agent_(agent), loop_(loop), owner_(owner) {
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  SpawnOptions spawn;
  spawn.argv = ssh_command(name, command, environment);
  spawn.environment = &environment;
  spawn.stdin_fd = input.read_end.get();
  spawn.stdout_fd = output.write_end.get();
  spawn.stderr_fd = errors.write_end.get();
  ssh_ = Process::spawn(spawn);
  input_ = std::move(input.write_end);
  output_ = std::move(output.read_end);
  errors_ = std::move(errors.read_end);
  for (const Fd* pipe : {&input_, &output_, &errors_}) set_non_blocking(pipe->get());
  loop_.watch(input_.get(), 0, [this](std::uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return drop_input();
    flush();
  });
  loop_.watch(output_.get(), EPOLLIN, [this](std::uint32_t) { take_output(); });
  loop_.watch(errors_.get(), EPOLLIN, [this](std::uint32_t) { take_errors(); });
}

HostLink::~HostLink() {
  for (Fd* pipe : {&input_, &output_, &errors_})
    if (*pipe) loop_.forget(pipe->get());
  ::explicit_bzero(unsent_.data(), unsent_.size());
}

std::string HostLink::address_for_others() const {
  const std::string& arrived = hello_->connected_address;
  const bool is_loopback = arrived.starts_with("127.") || arrived == "::1";
  if (!arrived.empty() && !is_loopback) return arrived;
  return hello_->addresses.empty() ? name_ : hello_->addresses.front();
}

void HostLink::send(std::string_view frame, std::string_view body) {
  if (!input_) return;
  const std::string head = str(frame, " ", body.size(), "\n");
  std::string all;  // not grown in place, or what that leaves behind is not wiped
  all.reserve(unsent_.size() + head.size() + body.size());
  all.append(unsent_).append(head).append(body);
  ::explicit_bzero(unsent_.data(), unsent_.size());
  unsent_.swap(all);
  flush();
}

void HostLink::finish() {
  finishing_ = true;
  flush();
}

void HostLink::flush() {
  while (input_ && (!to_upload_.empty() || !unsent_.empty())) {
    const std::string_view next = to_upload_.empty() ? std::string_view(unsent_) : to_upload_;
    const ssize_t written = ::write(input_.get(), next.data(), next.size());
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (written < 0) return drop_input();
    const auto size = static_cast<std::size_t>(written);
    if (!to_upload_.empty()) {
      to_upload_.remove_prefix(size);
    } else {
      ::explicit_bzero(unsent_.data(), size);
      unsent_.erase(0, size);
    }
  }
  if (!input_) return;
  const bool waiting = !to_upload_.empty() || !unsent_.empty();
  loop_.change(input_.get(), waiting ? EPOLLOUT : 0U);
  if (!waiting && finishing_) drop_input();
}

// When ssh reads no more, the reason comes with the end of its output.
void HostLink::drop_input() {
  to_upload_ = {};
  ::explicit_bzero(unsent_.data(), unsent_.size());
  unsent_.clear();
  if (input_) loop_.forget(input_.get());
  input_.reset();
}

void HostLink::take_output() {
  const auto [bytes, ready] = read_some(output_.get());
  if (!ready) return;
  if (bytes.empty()) return end(said_.empty() ? "the connection ended" : said_);
  if (in_frames_) {
    frames_.feed(bytes);
  } else {
    bootstrap_ += bytes;
    prelude_ += bytes.size();
    take_bootstrap();
  }
  if (in_frames_) take_frames();
}

void HostLink::take_bootstrap() {
  for (auto end_of_line = bootstrap_.find('\n'); end_of_line != std::string::npos;
       end_of_line = bootstrap_.find('\n')) {
    const std::string line(trim(std::string_view(bootstrap_).substr(0, end_of_line)));
    bootstrap_.erase(0, end_of_line + 1);
    if (line == bootstrap_want) {
      to_upload_ = agent_;
      flush();
    } else if (line == bootstrap_have) {
      in_frames_ = true;
      frames_.feed(bootstrap_);
      bootstrap_.clear();
      return;
    }
  }
  if (prelude_ > longest_prelude) end("its login scripts print without an end");
}

void HostLink::take_frames() {
  while (!ended_) {
    std::optional<Frame> frame;
    try {
      frame = frames_.next();
      if (frame && frame->name == "hello" && hello_) throw Error("it says hello twice");
      if (frame && frame->name == "hello") {
        hello_ = read_node_hello(read_json_document(str("the hello of ", name_), frame->body));
        said_.clear();  // it was about logging in
      }
    } catch (const Error& e) {
      return end(e.what());
    }
    if (!frame) return;
    if (frame->name == "hello") {
      owner_.on_hello(*this);
    } else {
      owner_.on_frame(*this, *frame);
    }
  }
}

void HostLink::take_errors() {
  const auto [bytes, ready] = read_some(errors_.get());
  if (!ready) return;
  partial_error_ += bytes;
  if (bytes.empty() || partial_error_.size() > longest_error) partial_error_ += '\n';
  for (auto end_of_line = partial_error_.find('\n'); end_of_line != std::string::npos;
       end_of_line = partial_error_.find('\n')) {
    const std::string line(trim(std::string_view(partial_error_).substr(0, end_of_line)));
    const bool of_node = line.starts_with("viaduct-agent ");  // of what it refused to others
    if (!line.empty() && !of_node) said_ = printable(abbreviated(line, 300));
    partial_error_.erase(0, end_of_line + 1);
  }
  if (!bytes.empty()) return;
  loop_.forget(errors_.get());
  errors_.reset();
}

void HostLink::end(const std::string& reason) {
  if (ended_) return;
  ended_ = true;
  for (std::size_t rest = partial_error_.size() + 1; errors_ && rest != partial_error_.size();) {
    rest = partial_error_.size();
    take_errors();
  }
  if (said_.empty()) said_ = reason;
  loop_.forget(output_.get());
  output_.reset();
  owner_.on_end(*this, said_);
}

}  // namespace viaduct::hosts
