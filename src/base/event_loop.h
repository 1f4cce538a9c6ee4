#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/fd.h"

namespace viaduct {

// Waits for descriptors and clocks, and calls who asked for them (epoll, level-triggered). One thread. A handler may
// watch, change and forget anything, itself included.
class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t events)>;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR
  using Timer = std::uint64_t;

  EventLoop();

  void watch(int fd, std::uint32_t events, Handler handler);  // the descriptor stays the caller's; throws Error
  void change(int fd, std::uint32_t events);                  // 0: only hang-ups and errors
  void forget(int fd);                                        // before it is closed; nothing when it isn't watched

  Timer after(std::chrono::milliseconds delay, std::function<void()> handler);
  void cancel(Timer timer);  // nothing when it has gone off

  void run_once();  // waits for something to happen, and calls all it concerns
  void run();       // until `stop`
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Watch {
    std::uint32_t generation = 0;  // tells a descriptor from an earlier one of the same number
    std::uint32_t events = 0;
    std::shared_ptr<Handler> handler;
  };
  int timeout_ms() const;
  void call_timers();

  Fd epoll_;
  std::unordered_map<int, Watch> watches_;
  std::map<std::pair<Clock::time_point, Timer>, std::function<void()>> timers_;
  std::unordered_map<Timer, Clock::time_point> due_;
  std::uint32_t generations_ = 0;
  Timer timers_made_ = 0;
  bool stopped_ = false;
};

}  // namespace viaduct
