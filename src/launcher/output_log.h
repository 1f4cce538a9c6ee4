#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "launcher/log_writer.h"
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
  bool take(RemoteHosts& hosts);  // and from those of the others; whether anything came
  void remark(std::string_view text, bool for_watchers = false);

  void flush();

  bool all_started() const { return static_cast<int>(started_.size()) == ranks_; }
  const std::map<int, RankHello>& started() const { return started_; }
  const FailureParser& failures() const { return failures_; }
  const std::optional<RankEnd>& first_bad_end() const { return first_end_; }  // where the ranks are watched
  std::vector<std::string> last_lines(int rank) const;                        // of a rank, oldest first

 private:
  void start(const RankHello& hello);
  void add(bool is_error, std::optional<int> rank, std::string_view text);

  int ranks_;
  OutputDemux out_;
  OutputDemux err_;
  FailureParser failures_;
  std::map<int, RankHello> started_;
  std::optional<RankEnd> first_end_;
  std::unordered_map<int, std::deque<std::string>> last_lines_;
  std::string pending_;
  LogWriter writer_;
};

}  // namespace viaduct::launcher
