#pragma once

#include <poll.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "launcher/rank_report.h"

namespace viaduct::launcher {

// Where the ranks' output goes; the views live only during the call.
struct RankStreamSink {
  std::function<void(int rank, bool is_error, std::string_view line)> line;  // without its newline
  std::function<void(const RankHello& hello)> hello;
};

// An address that nobody else has. Node N of the run uses it with ".N" at its end, for several nodes may share a
// network namespace, and with it all abstract names.
std::string make_output_address();
std::string output_address_of_node(const std::string& address, int node);

// The output of the ranks of this host, straight from each rank to `viaduct-agent launch` or the relay of this host,
// past the MPI launcher: `viaduct-agent exec` makes a pipe for each of the program's streams and hands the reading ends
// over a local socket, with its hello. So nothing is lost or mixed up on the way. (Open MPI 4.1's own forwarding loses
// text when ranks write many lines shorter than its tag.) One thread.
class RankStreams {
 public:
  static constexpr std::size_t longest_line = std::size_t{1} << 20;  // bytes

  // Listens there, on a socket in the abstract namespace (Linux). Throws Error.
  explicit RankStreams(const std::string& address);

  bool open() const { return !streams_.empty(); }  // some rank may still write

  void add_polls(std::vector<pollfd>& fds) const;
  // Takes what is there, without waiting: new ranks' hellos, and whole lines.
  void read(const RankStreamSink& sink);
  void finish(const RankStreamSink& sink);  // last lines without a newline come out; nothing is read after

 private:
  struct Stream {
    Fd fd;
    int rank = 0;
    bool is_error = false;
    std::string partial;  // a line that has not ended; what is longer than longest_line comes out in pieces
  };
  void accept_ranks(const RankStreamSink& sink);
  bool read_stream(Stream& stream, const RankStreamSink& sink);  // false at its end

  Fd listener_;
  std::vector<Stream> streams_;
};

// In the rank: makes the pipes, hands them over with the hello, and puts them in the place of standard output and
// standard error. Somebody must keep the MPI launcher's own streams open as long as the rank lives, since Hydra serves
// a rank only so long: the parent that `exec --watch` leaves behind does. Throws Error.
void connect_rank_streams(const std::string& address, const RankHello& hello);

}  // namespace viaduct::launcher
