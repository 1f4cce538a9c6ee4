#include "base/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

using namespace viaduct;
using std::chrono::milliseconds;

namespace {

Pipe full_pipe() {
  Pipe pipe = make_pipe();
  write_all(pipe.write_end.get(), "x");
  return pipe;
}

}  // namespace

TEST_CASE("event loop: a handler is called while its descriptor is ready") {
  EventLoop loop;
  const Pipe pipe = full_pipe();
  int calls = 0;
  loop.watch(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t events) {
    CHECK(events == EPOLLIN);
    if (++calls == 3) loop.stop();
  });
  loop.run();
  CHECK(calls == 3);
}

TEST_CASE("event loop: a descriptor that was forgotten, or is wanted for nothing, is left alone") {
  EventLoop loop;
  const Pipe forgotten = full_pipe();
  const Pipe unwanted = full_pipe();
  const auto fail = [](std::uint32_t) { FAIL("it was called"); };
  loop.watch(forgotten.read_end.get(), EPOLLIN, fail);
  loop.watch(unwanted.read_end.get(), EPOLLIN, fail);
  loop.forget(forgotten.read_end.get());
  loop.forget(forgotten.read_end.get());
  loop.change(unwanted.read_end.get(), 0);
  loop.after(milliseconds(1), [&] { loop.stop(); });
  loop.run();
}

TEST_CASE("event loop: a descriptor that can't be waited for is an error") {
  EventLoop loop;
  CHECK_THROWS_AS(loop.watch(-1, EPOLLIN, [](std::uint32_t) {}), Error);
}

TEST_CASE("event loop: a handler may forget itself, and what it holds lives until it returns") {
  EventLoop loop;
  const Pipe pipe = full_pipe();
  auto held = std::make_shared<int>(7);
  std::weak_ptr<int> watched = held;
  int seen = 0;
  loop.watch(pipe.read_end.get(), EPOLLIN, [&loop, &pipe, &seen, held = std::move(held)](std::uint32_t) {
    loop.forget(pipe.read_end.get());
    seen = *held;
  });
  loop.run_once();
  CHECK(seen == 7);
  CHECK(watched.expired());
}

TEST_CASE("event loop: of two that are ready, the one that the other forgets is not called") {
  EventLoop loop;
  const Pipe pipes[] = {full_pipe(), full_pipe()};
  int calls = 0;
  for (const int i : {0, 1})
    loop.watch(pipes[i].read_end.get(), EPOLLIN, [&, i](std::uint32_t) {
      ++calls;
      loop.forget(pipes[1 - i].read_end.get());
    });
  loop.run_once();
  CHECK(calls == 1);
}

TEST_CASE("event loop: what was ready is not told to a new descriptor of the same number") {
  EventLoop loop;
  Pipe pipes[] = {full_pipe(), full_pipe()};
  Pipe empty;
  for (const int i : {0, 1})
    loop.watch(pipes[i].read_end.get(), EPOLLIN, [&, i](std::uint32_t) {
      Fd& other = pipes[1 - i].read_end;
      const int number = other.get();
      loop.forget(number);
      other.reset();
      empty = make_pipe();
      REQUIRE(empty.read_end.get() == number);
      loop.watch(number, EPOLLIN, [](std::uint32_t) { FAIL("there is nothing to read"); });
      loop.forget(pipes[i].read_end.get());
    });
  loop.run_once();
  CHECK(empty.read_end);
}

TEST_CASE("event loop: timers go off in the order of their times, and not before") {
  EventLoop loop;
  std::vector<int> order;
  const auto began = std::chrono::steady_clock::now();
  loop.after(milliseconds(20), [&] {
    order.push_back(20);
    loop.stop();
  });
  loop.after(milliseconds(10), [&] { order.push_back(10); });
  loop.after(milliseconds(0), [&] { order.push_back(0); });
  loop.run();
  CHECK(order == std::vector{0, 10, 20});
  CHECK(std::chrono::steady_clock::now() - began >= milliseconds(20));
}

TEST_CASE("event loop: a timer may be cancelled, also by one that goes off with it, and after it went off") {
  EventLoop loop;
  EventLoop::Timer second = 0;
  const EventLoop::Timer first = loop.after(milliseconds(1), [&] { loop.cancel(second); });
  second = loop.after(milliseconds(1), [] { FAIL("it was cancelled"); });
  loop.after(milliseconds(5), [&] {
    loop.cancel(first);
    loop.stop();
  });
  loop.run();
}

TEST_CASE("event loop: a timer may set another one") {
  EventLoop loop;
  int calls = 0;
  std::function<void()> again = [&] {
    if (++calls == 3) return loop.stop();
    loop.after(milliseconds(1), again);
  };
  loop.after(milliseconds(0), again);
  loop.run();
  CHECK(calls == 3);
}
