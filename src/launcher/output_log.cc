#include "launcher/output_log.h"

#include "launcher/log_line.h"
#include "launcher/rank_tag.h"

namespace viaduct::launcher {

static constexpr std::size_t kept_lines = 5;      // of each rank, for the exit record
static constexpr std::size_t longest_kept = 500;  // bytes of such a line

OutputLog::OutputLog(int ranks, const MpiFlavour& mpi, const std::string& nonce)
    : ranks_(ranks),
      out_(rank_tag(mpi, OutputStream::standard_output, nonce), ranks),
      err_(rank_tag(mpi, OutputStream::standard_error, nonce), ranks) {}

void OutputLog::feed(bool is_error, std::string_view chunk) {
  const OutputSink sink = {[&](std::optional<int> rank, std::string_view line) { add(is_error, rank, line); },
                           [&](const RankHello& hello) { start(hello); },
                           [&](const RankEnd& end) {
                             if (!first_end_) first_end_ = end;
                           }};
  OutputDemux& demux = is_error ? err_ : out_;
  if (chunk.empty()) {
    demux.finish(sink);
  } else {
    demux.feed(chunk, sink);
  }
  flush();
}

void OutputLog::take(RankStreams& streams) {
  streams.read({[&](int rank, bool is_error, std::string_view line) { add(is_error, rank, line); },
                [&](const RankHello& hello) { start(hello); }});
  flush();
}

void OutputLog::finish(RankStreams& streams) {
  streams.finish({[&](int rank, bool is_error, std::string_view line) { add(is_error, rank, line); }, nullptr});
  flush();
}

bool OutputLog::take(RemoteHosts& hosts) {
  const bool any = hosts.read({[&](int rank, bool is_error, std::string_view line) { add(is_error, rank, line); },
                               [&](const RankHello& hello) { start(hello); }});
  flush();
  return any;
}

void OutputLog::remark(std::string_view text, bool for_watchers) {
  append_log_line(pending_, {LogLine::Source::viaduct, 0, for_watchers, text});
  flush();
}

void OutputLog::flush() {
  writer_.write(pending_);
  pending_.clear();
}

std::vector<std::string> OutputLog::last_lines(int rank) const {
  const auto found = last_lines_.find(rank);
  if (found == last_lines_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

void OutputLog::start(const RankHello& hello) {
  if (hello.rank >= 0 && hello.rank < ranks_) started_.try_emplace(hello.rank, hello);
}

void OutputLog::add(bool is_error, std::optional<int> rank, std::string_view text) {
  if (rank && (*rank < 0 || *rank >= ranks_)) return;
  failures_.feed(rank, text);
  append_log_line(pending_,
                  {rank ? LogLine::Source::rank : LogLine::Source::launcher, rank.value_or(0), is_error, text});
  if (!rank) return;
  auto& lines = last_lines_[*rank];
  if (lines.size() == kept_lines) lines.pop_front();
  lines.emplace_back(text.substr(0, longest_kept));
}

}  // namespace viaduct::launcher
