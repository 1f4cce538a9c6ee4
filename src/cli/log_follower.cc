#include "cli/log_follower.h"

#include <fcntl.h>
#include <sys/inotify.h>

namespace viaduct::cli {

void LogFollower::open(const std::filesystem::path& log) {
  finish();
  log_ = log;
  file_.reset();
  events_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (events_) ::inotify_add_watch(events_.get(), log.parent_path().c_str(), IN_MODIFY | IN_CREATE);
}

void LogFollower::read_new() {
  if (log_.empty()) return;
  while (events_ && !read_some(events_.get()).first.empty()) {
  }
  if (!file_) file_ = Fd(::open(log_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file_) return;
  for (;;) {
    const auto [chunk, ready] = read_some(file_.get(), 1 << 18);
    if (chunk.empty()) return;
    partial_ += chunk;
    std::size_t start = 0;
    for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n', start)) {
      sink_(launcher::parse_log_line(std::string_view(partial_).substr(start, end - start)));
      start = end + 1;
    }
    partial_.erase(0, start);
  }
}

void LogFollower::finish() {
  read_new();
  if (!partial_.empty()) sink_(launcher::parse_log_line(partial_));
  partial_.clear();
}

}  // namespace viaduct::cli
