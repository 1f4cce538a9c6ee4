#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/rank_report.h"
#include "launcher/rank_tag.h"

namespace viaduct::launcher {

// Where the demultiplexer's findings go. Called from feed() and finish(); the views live only during the call.
struct OutputSink {
  // A line without its newline; no rank means the text is mpirun's own.
  std::function<void(std::optional<int> rank, std::string_view line)> line;
  // What `viaduct-agent exec` reports; may be empty: then the reports are dropped.
  std::function<void(const RankHello& hello)> hello = nullptr;
  std::function<void(const RankEnd& end)> end = nullptr;
};

// Splits one output stream of mpirun into whole lines with their rank. One object per stream, one thread.
//
// mpirun puts the rank's tag in front of every piece of text it forwards: in front of every line, and again where it
// goes on with a line it forwarded only in part; pieces of several ranks interleave on one line:
//
//   [1,0]<stdout>:par[1,1]<stdout>:par[1,0]<stdout>:tial\n
//
// So a tag starts a rank's text wherever it stands, a newline ends that rank's line, and text after a newline that no
// tag announces is mpirun's own. A tag counts only with a rank below `ranks`. A program that itself prints another
// rank's tag is believed: nothing tells the two apart with Open MPI, whose tags can be guessed.
//
// NUL bytes in front of a line are dropped: Open MPI 5 ends its messages with one, behind the newline.
//
// Memory is bounded: of a line longer than max_line bytes each max_line bytes become a line of their own.
class OutputDemux {
 public:
  static constexpr std::size_t max_line = std::size_t{1} << 20;

  OutputDemux(RankTag tag, int ranks);

  void feed(std::string_view chunk, const OutputSink& sink);
  void finish(const OutputSink& sink);  // the stream has ended: last lines without a newline come out, by rank

 private:
  struct FoundTag {
    std::size_t begin = 0;  // npos: there is none
    std::size_t end = 0;
    int rank = 0;
    bool cut_off = false;  // the data ends inside what may be a tag; begin says where it starts
  };

  FoundTag find_tag(std::string_view data, std::size_t from) const;
  FoundTag tag_at(std::string_view data, std::size_t begin) const;
  void take_text(std::string_view text, const OutputSink& sink);
  void take_part(std::string_view part, const OutputSink& sink);
  void end_line(std::string_view last_part, const OutputSink& sink);
  void emit(std::optional<int> rank, std::string_view line, const OutputSink& sink) const;
  std::string& partial() { return partial_[current_ ? static_cast<std::size_t>(*current_) + 1 : 0]; }

  RankTag tag_;
  int ranks_;
  std::optional<int> current_;        // whose text comes now
  std::string held_;                  // the end of the data so far, which may be the beginning of a tag
  std::vector<std::string> partial_;  // unfinished lines: mpirun's own, then rank 0, 1, ...
};

}  // namespace viaduct::launcher
