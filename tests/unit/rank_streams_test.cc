#include "launcher/rank_streams.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/text.h"

using namespace viaduct;
using namespace viaduct::launcher;

namespace {

// Starts a "rank": a child whose output goes to `address`, and that then runs `body`.
template <typename Body>
pid_t start_rank(const std::string& address, int rank, const Body& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  connect_rank_streams(address, {rank, "h", ::getpid(), ""});
  body();
  ::_exit(0);
}

struct Collected {
  std::vector<std::string> lines;  // "rank o|e text"
  std::vector<int> hellos;
  RankStreamSink sink() {
    return {[this](int rank, bool is_error, std::string_view line) {
              lines.push_back(str(rank, is_error ? " e " : " o ", line));
            },
            [this](const RankHello& hello) { hellos.push_back(hello.rank); }};
  }
  // Until `ranks` have said hello and closed their streams.
  void read_all(RankStreams& streams, std::size_t ranks) {
    while (hellos.size() < ranks || streams.open()) {
      std::vector<pollfd> fds;
      streams.add_polls(fds);
      REQUIRE(::poll(fds.data(), fds.size(), 10'000) > 0);
      streams.read(sink());
    }
  }
};

void write_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) ::_exit(1);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

TEST_CASE("rank streams: many short lines of two ranks arrive whole, in order, and without loss") {
  const std::string address = make_output_address();
  RankStreams streams(address);
  std::vector<pid_t> ranks;
  for (int rank = 0; rank < 2; ++rank)
    ranks.push_back(start_rank(address, rank, [] {
      for (int i = 0; i < 20'000; ++i) write_text(STDOUT_FILENO, std::to_string(i) + "\n");
    }));
  Collected collected;
  collected.read_all(streams, 2);
  for (const pid_t pid : ranks) ::waitpid(pid, nullptr, 0);
  CHECK(collected.lines.size() == 40'000);
  int next[2] = {0, 0};
  bool in_order = true;
  for (const auto& line : collected.lines) {
    const int rank = line[0] - '0';
    in_order = in_order && line == str(rank, " o ", next[rank]++);
  }
  CHECK(in_order);
}

TEST_CASE("rank streams: both streams are told apart, and a last line without a newline comes out") {
  const std::string address = make_output_address();
  RankStreams streams(address);
  const pid_t pid = start_rank(address, 7, [] {
    write_text(STDOUT_FILENO, "par");
    write_text(STDERR_FILENO, "oops\n");
    write_text(STDOUT_FILENO, "tial\nlast");
  });
  Collected collected;
  collected.read_all(streams, 1);
  ::waitpid(pid, nullptr, 0);
  std::sort(collected.lines.begin(), collected.lines.end());
  CHECK(collected.hellos == std::vector<int>{7});
  CHECK(collected.lines == std::vector<std::string>{"7 e oops", "7 o last", "7 o partial"});
}

TEST_CASE("rank streams: a line that never ends comes out in pieces") {
  const std::string address = make_output_address();
  RankStreams streams(address);
  const std::string piece(RankStreams::longest_line, 'x');
  const pid_t pid = start_rank(address, 0, [&] {
    write_text(STDOUT_FILENO, piece);
    write_text(STDOUT_FILENO, piece);
  });
  Collected collected;
  collected.read_all(streams, 1);
  ::waitpid(pid, nullptr, 0);
  CHECK(collected.lines.size() >= 2);
  std::size_t bytes = 0;
  for (const auto& line : collected.lines) bytes += line.size() - std::string("0 o ").size();
  CHECK(bytes == 2 * piece.size());
}
