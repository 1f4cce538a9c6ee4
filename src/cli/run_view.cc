#include "cli/run_view.h"

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

RunView::RunView(Terminal& terminal, const bridge::JobStore& store, const Clock& clock, std::int64_t ranks, bool labels,
                 bool quiet)
    : terminal_(terminal),
      store_(store),
      clock_(clock),
      printer_(terminal, ranks, labels, std::nullopt),
      follower_([this](const launcher::LogLine& line) {
        // Viaduct's own remarks repeat what the progress says.
        if (line.source != launcher::LogLine::Source::viaduct) printer_.print(line);
      }),
      quiet_(quiet) {}

void RunView::say(const std::string& text) {
  if (!quiet_) terminal_.err(str(paint(terminal_.colour_err(), "2", "viaduct: "), text, "\n"));
}

void RunView::on_record(const model::JobRecord& record) {
  const bool new_attempt = record.attempt != record_.attempt;
  if (new_attempt && record.attempt > 0) follower_.open(store_.log_file(record.name, record.attempt));
  if (new_attempt && !record.message.empty()) say(str(record.name, ": ", record.message));
  const bool changed = state_of(record) != state_of(record_);
  record_ = record;
  if (!changed || model::is_final(record.phase) || quiet_) return;
  if (terminal_.err_is_terminal()) {
    show_progress();
  } else if (record.phase != Phase::running || record.ranks_up) {
    const std::string ranks = record.ranks_up ? str(", ", count_of(record.ranks, "rank")) : "";
    say(str(record.name, ": ", state_of(record), ranks));
  }
}

void RunView::on_wake() {
  follower_.read_new();
  show_progress();
}

void RunView::show_progress() {
  if (quiet_ || !record_.started || model::is_final(record_.phase)) return;
  const std::string state = state_of(record_);
  const std::string ranks =
      record_.ranks_up ? count_of(record_.ranks, "rank") : str("0 of ", count_of(record_.ranks, "rank"));
  const std::string restarts = record_.restarts > 0 ? str("  restart ", record_.restarts) : "";
  terminal_.show_status(str(record_.name, "  ", state, "  ",
                            format_duration((clock_.now().ms - record_.started->ms) / 1000 * 1000), "  ",
                            count_of(record_.nodes, "node"), "  ", ranks, restarts));
}

void RunView::finish(const model::JobRecord& record) {
  follower_.finish();
  terminal_.clear_status();
  const bool colour = terminal_.colour_err();
  if (record.phase == Phase::succeeded) {
    say(str(record.name, ": ", paint(colour, "32", "Succeeded"), " after ", duration_of(record, clock_.now())));
    return;
  }
  if (record.phase == Phase::suspended) {
    say(str(record.name, ": Suspended; `viaduct resume ", record.name, "` starts it"));
    return;
  }
  if (quiet_ && record.phase == Phase::cancelled) return;
  // A failure is said even when quiet: what, where, why.
  std::string text = str("viaduct: ", record.name, ": ", paint(colour, "31", state_of(record)), " after ",
                         duration_of(record, clock_.now()));
  if (record.reason == "DeadlineExceeded" || record.reason == "ReachedMaxRestarts")
    text += str(" (", record.reason, ")");
  text += str(": ", record.message, "\n");
  if (record.failure && !record.failure->last_lines.empty()) {
    text += str("  the last ", count_of(static_cast<std::int64_t>(record.failure->last_lines.size()), "line"), " of ",
                record.failure->rank ? str("rank ", *record.failure->rank) : std::string("that rank"), ":\n");
    for (const auto& line : record.failure->last_lines) text += str("    ", line, "\n");
  }
  if (!record.hint.empty()) text += str("  ", paint(colour, "36", "hint:"), " ", record.hint, "\n");
  terminal_.err(text);
}

}  // namespace viaduct::cli
