#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "launcher/mpirun_messages.h"
#include "launcher/output_demux.h"
#include "launcher/rank_streams.h"
#include "launcher/remote_hosts.h"

namespace viaduct::launcher {

// What the ranks print, on its way to the log, which is standard output: split by rank, counted, the last lines kept,
// failures noticed. One thread.
class OutputLog {
 public:
  OutputLog(int ranks, const MpiFlavour& mpi, const std::string& nonce);

  void feed(bool is_error, std::string_view chunk);  // of mpirun's own streams; an empty chunk is the end of that one
  void take(RankStreams& streams);                   // what has come from the ranks of this host
  void finish(RankStreams& streams);
  void take(RemoteHosts& hosts);  // and from those of the others
  void remark(std::string_view text, bool for_watchers = false);

  // A log that can't be written (a full disk) must not end the training: lines are lost, and that is told later.
  void flush();

  bool all_started() const { return static_cast<int>(started_.size()) == ranks_; }
  const std::map<int, RankHello>& started() const { return started_; }
  const FailureParser& failures() const { return failures_; }
  const std::optional<RankEnd>& first_bad_end() const { return first_end_; }  // where the ranks are watched
  std::vector<std::string> last_lines(int rank) const;                        // of a rank, oldest first

 private:
  void add(bool is_error, std::optional<int> rank, std::string_view text);
  std::int64_t write(std::string_view text);  // how many lines could not be written, at least in part

  int ranks_;
  OutputDemux out_;
  OutputDemux err_;
  FailureParser failures_;
  std::map<int, RankHello> started_;
  std::optional<RankEnd> first_end_;
  std::unordered_map<int, std::deque<std::string>> last_lines_;
  std::string pending_;
  std::int64_t lost_lines_ = 0;
  std::string why_lost_;
  bool cut_in_line_ = false;  // what was written last was no whole line
};

}  // namespace viaduct::launcher
