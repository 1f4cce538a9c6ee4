#include "cli/run_view.h"

#include <poll.h>

#include "base/text.h"

namespace viaduct::cli {

using model::Phase;

std::string state_of(const model::JobRecord& record) {
  if (record.phase == Phase::running && !record.ranks_up) return "Starting";
  return std::string(to_string(record.phase));
}

std::string duration_of(const model::JobRecord& record, Timestamp now) {
  if (!record.started) return "-";
  return format_duration((record.ended ? record.ended->ms : now.ms) - record.started->ms);
}

RunView::RunView(Terminal& terminal, const bridge::JobStore& store, const Clock& clock, const model::RunPlan& plan,
                 std::vector<std::string> hosts, Options options)
    : terminal_(terminal),
      store_(store),
      clock_(clock),
      grace_seconds_(plan.grace_seconds),
      options_(options),
      printer_(terminal, plan.ranks(), std::move(hosts), options.labels, std::nullopt),
      follower_([this](const launcher::LogLine& line) {
        using Source = launcher::LogLine::Source;
        if (line.source == Source::viaduct && !line.is_error) return;  // the progress says it
        if (line.source == Source::launcher && !options_.launcher_lines) return;
        printer_.print(line);
      }),
      wake_(make_pipe()),
      thread_([this] { show(); }) {}

RunView::~RunView() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.write_end.reset();
  thread_.join();
}

void RunView::on_record(const model::JobRecord& record) {
  const std::lock_guard lock(mutex_);
  news_.push_back(record);
  write_to_reader(wake_.write_end.get(), "n");
}

void RunView::finish(const model::JobRecord& record) {
  on_record(record);
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.write_end.reset();
  thread_.join();
}

void RunView::show() {
  for (;;) {
    pollfd fds[] = {{wake_.read_end.get(), POLLIN, 0}, {follower_.wake_fd(), POLLIN, 0}};
    constexpr int refresh_ms = 1000;
    ::poll(fds, std::size(fds), refresh_ms);
    if (fds[0].revents != 0) read_some(wake_.read_end.get());
    std::vector<model::JobRecord> news;
    bool ended = false;
    {
      const std::lock_guard lock(mutex_);
      news.swap(news_);
      ended = ended_;
    }
    for (const auto& record : news) take_record(record);
    follower_.read_new();
    if (ended) break;
    show_progress();
  }
  follower_.finish();
  terminal_.clear_status();
  say_how_it_ended();
}

void RunView::say(const std::string& text) {
  if (!options_.quiet) terminal_.err(str(paint(terminal_.colour_err(), "2", "viaduct: "), text, "\n"));
}

void RunView::take_record(const model::JobRecord& record) {
  const bool new_attempt = record.attempt != record_.attempt;
  if (new_attempt && record.attempt > 0) follower_.open(store_.log_file(record.name, record.attempt));
  if (new_attempt && !record.message.empty()) say(str(record.name, ": ", record.message));
  const bool changed = state_of(record) != state_of(record_);
  record_ = record;
  if (!changed || model::is_final(record.phase)) return;
  if (record.phase == Phase::stopping) {
    say(str(record.name, ": Stopping: the ranks were sent TERM, and get KILL after ", grace_seconds_,
            " s; Ctrl-C again kills them now"));
  } else if (!terminal_.err_is_terminal() && record.phase == Phase::running && record.ranks_up) {
    say(str(record.name, ": Running, ", count_of(record.ranks, "rank")));
  }
}

void RunView::show_progress() {
  if (options_.quiet || !record_.started || model::is_final(record_.phase)) return;
  const std::string state = state_of(record_);
  const std::string ranks =
      record_.ranks_up ? count_of(record_.ranks, "rank") : str("0 of ", count_of(record_.ranks, "rank"));
  const std::string restarts = record_.restarts > 0 ? str("  restart ", record_.restarts) : "";
  terminal_.show_status(str(record_.name, "  ", state, "  ",
                            format_duration((clock_.now().ms - record_.started->ms) / 1000 * 1000), "  ",
                            count_of(record_.nodes, "node"), "  ", ranks, restarts));
}

void RunView::say_how_it_ended() {
  const model::JobRecord& record = record_;
  if (!model::is_final(record.phase) && record.phase != Phase::suspended) return;  // an error of ours says more
  const bool colour = terminal_.colour_err();
  if (record.phase == Phase::succeeded) {
    say(str(record.name, ": ", paint(colour, "32", "Succeeded"), " after ", duration_of(record, clock_.now())));
    return;
  }
  if (record.phase == Phase::suspended) {
    say(str(record.name, ": Suspended; `viaduct resume ", record.name, "` starts it"));
    return;
  }
  if (options_.quiet && record.phase == Phase::cancelled) return;
  // A failure is said even when quiet: what, where, why.
  std::string text = str("viaduct: ", record.name, ": ", paint(colour, "31", state_of(record)), " after ",
                         duration_of(record, clock_.now()));
  if (record.reason == "DeadlineExceeded" || record.reason == "ReachedMaxRestarts")
    text += str(" (", record.reason, ")");
  text += str(": ", printable(record.message), "\n");
  if (record.failure && !record.failure->last_lines.empty()) {
    text += str("  the last ", count_of(static_cast<std::int64_t>(record.failure->last_lines.size()), "line"), " of ",
                record.failure->rank ? str("rank ", *record.failure->rank) : std::string("that rank"), ":\n");
    for (const auto& line : record.failure->last_lines) text += str("    ", printable(line), "\n");
  }
  if (!record.hint.empty()) text += str("  ", paint(colour, "36", "hint:"), " ", record.hint, "\n");
  terminal_.err(text);
}

}  // namespace viaduct::cli
