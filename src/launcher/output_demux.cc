#include "launcher/output_demux.h"

#include <string.h>  // memmem

#include <algorithm>
#include <utility>

namespace viaduct::launcher {
namespace {

constexpr std::size_t npos = std::string_view::npos;
constexpr int max_rank_digits = 9;

std::size_t find(std::string_view data, std::string_view what, std::size_t from) {
  const void* at = memmem(data.data() + from, data.size() - from, what.data(), what.size());
  return at == nullptr ? npos : static_cast<std::size_t>(static_cast<const char*>(at) - data.data());
}

// How many bytes at the end of the data are a beginning of `word`, but not all of it.
std::size_t begun_at_end(std::string_view data, std::string_view word) {
  for (std::size_t length = std::min(data.size(), word.size() - 1); length > 0; --length) {
    if (data.ends_with(word.substr(0, length))) return length;
  }
  return 0;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

OutputDemux::OutputDemux(RankTag tag, int ranks)
    : tag_(std::move(tag)), ranks_(ranks), partial_(static_cast<std::size_t>(ranks) + 1) {}

void OutputDemux::feed(std::string_view chunk, const OutputSink& sink) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::exchange(held_, {}).append(chunk);
    chunk = joined;
  }
  std::size_t done = 0;
  while (true) {
    const FoundTag tag = find_tag(chunk, done);
    take_text(chunk.substr(done, tag.begin == npos ? npos : tag.begin - done), sink);
    if (tag.begin == npos) return;
    if (tag.cut_off) {
      held_ = chunk.substr(tag.begin);
      return;
    }
    current_ = tag.rank;
    done = tag.end;
  }
}

void OutputDemux::finish(const OutputSink& sink) {
  take_text(std::exchange(held_, {}), sink);
  for (std::size_t i = 0; i < partial_.size(); ++i) {
    if (partial_[i].find_first_not_of('\0') == npos) continue;
    emit(i == 0 ? std::nullopt : std::optional(static_cast<int>(i) - 1), partial_[i], sink);
    partial_[i].clear();
  }
}

OutputDemux::FoundTag OutputDemux::find_tag(std::string_view data, std::size_t from) const {
  for (std::size_t at = find(data, tag_.before_rank, from); at != npos; at = find(data, tag_.before_rank, at + 1)) {
    const FoundTag tag = tag_at(data, at);
    if (tag.begin != npos) return tag;
  }
  const std::size_t begun = begun_at_end(data.substr(from), tag_.before_rank);
  if (begun == 0) return {.begin = npos};
  return {.begin = data.size() - begun, .cut_off = true};
}

// The tag whose before_rank stands at `begin`.
OutputDemux::FoundTag OutputDemux::tag_at(std::string_view data, std::size_t begin) const {
  std::size_t at = begin + tag_.before_rank.size();
  const std::size_t first_digit = at;
  int rank = 0;
  while (at < data.size() && is_digit(data[at]) && at - first_digit < max_rank_digits)
    rank = rank * 10 + (data[at++] - '0');
  const std::string_view rest = data.substr(at, tag_.after_rank.size());
  if (!tag_.after_rank.starts_with(rest)) return {.begin = npos};
  if (rest.size() < tag_.after_rank.size()) return {.begin = begin, .cut_off = true};
  if (at == first_digit || rank >= ranks_) return {.begin = npos};
  return {.begin = begin, .end = at + rest.size(), .rank = rank};
}

// Text between two tags: the first line is the current rank's, what follows a newline is mpirun's own.
void OutputDemux::take_text(std::string_view text, const OutputSink& sink) {
  for (auto newline = text.find('\n'); newline != npos; newline = text.find('\n')) {
    end_line(text.substr(0, newline), sink);
    text.remove_prefix(newline + 1);
    current_.reset();
  }
  take_part(text, sink);
}

void OutputDemux::take_part(std::string_view part, const OutputSink& sink) {
  while (!part.empty()) {
    std::string& line = partial();
    if (line.size() == max_line) {
      emit(current_, line, sink);
      line.clear();
    }
    const std::size_t fits = std::min(part.size(), max_line - line.size());
    line.append(part.substr(0, fits));
    part.remove_prefix(fits);
  }
}

void OutputDemux::end_line(std::string_view last_part, const OutputSink& sink) {
  if (partial().empty() && last_part.size() <= max_line) return emit(current_, last_part, sink);
  take_part(last_part, sink);
  emit(current_, partial(), sink);
  partial().clear();
}

void OutputDemux::emit(std::optional<int> rank, std::string_view line, const OutputSink& sink) const {
  while (line.starts_with('\0')) line.remove_prefix(1);
  if (rank && line.starts_with('\x1e')) {
    const auto hello = parse_hello(line);
    if (hello && hello->rank == *rank) {
      if (sink.hello) sink.hello(*hello);
      return;
    }
    const auto end = parse_end(line);
    if (end && end->rank == *rank) {
      if (sink.end) sink.end(*end);
      return;
    }
  }
  sink.line(rank, line);
}

}  // namespace viaduct::launcher
