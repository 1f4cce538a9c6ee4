#include "base/diagnostics.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace viaduct {

void Diagnostics::error(SourcePtr source, Mark mark, std::string message, std::string hint) {
  all_.push_back({Diagnostic::Severity::error, std::move(source), mark, std::move(message), std::move(hint)});
  ++errors_;
}

void Diagnostics::warning(SourcePtr source, Mark mark, std::string message, std::string hint) {
  all_.push_back({Diagnostic::Severity::warning, std::move(source), mark, std::move(message), std::move(hint)});
}

static std::string_view line_of(std::string_view text, std::uint32_t line) {
  std::size_t start = 0;
  for (std::uint32_t at = 1; at < line; ++at) {
    const auto end = text.find('\n', start);
    if (end == std::string_view::npos) return {};
    start = end + 1;
  }
  return text.substr(start, text.find('\n', start) - start);
}

static bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// As printable(), but with blanks, so that columns stay.
static std::string without_control(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, std::max<std::size_t>(decode_utf8(text).length, 1));
    text.remove_prefix(character.size());
    const bool shown = character != "\t" && character != "\n" && printable(character) == character;
    out += shown ? std::string(character) : std::string(character.size(), ' ');
  }
  return out;
}

// The line with tabs and control bytes as blanks, cut to a window around the caret when it is very long; and the caret.
static std::pair<std::string, std::string> excerpt(std::string_view line, std::uint32_t column) {
  constexpr std::size_t widest = 160;
  constexpr std::size_t before_caret = 60;
  std::string shown = without_control(line);
  std::size_t caret = std::min<std::size_t>(column > 0 ? column - 1 : 0, shown.size());
  std::string prefix;
  if (shown.size() > widest && caret > before_caret) {
    std::size_t cut = caret - before_caret;
    while (cut < caret && continues_a_character(shown[cut])) ++cut;
    shown.erase(0, cut);
    caret -= cut;
    prefix = "...";
  }
  if (shown.size() > widest) {
    std::size_t end = widest;
    while (end > caret && continues_a_character(shown[end])) --end;
    shown = shown.substr(0, end) + "...";
  }
  const auto hidden =
      std::count_if(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(caret), continues_a_character);
  return {prefix + shown, std::string(prefix.size() + caret - static_cast<std::size_t>(hidden), ' ') + "^"};
}

std::string render(const Diagnostic& diagnostic, bool colour) {
  const bool is_error = diagnostic.severity == Diagnostic::Severity::error;
  const auto paint = [colour](const char* code, const std::string& text) {
    return colour ? str("\033[", code, "m", text, "\033[0m") : text;
  };
  std::string place;
  if (diagnostic.source) place += printable(diagnostic.source->name) + ":";
  if (diagnostic.mark.line > 0) place += str(diagnostic.mark.line, ":", diagnostic.mark.column, ":");
  std::string out = place.empty() ? "" : paint("1", place) + " ";
  out +=
      paint(is_error ? "1;31" : "1;35", is_error ? "error:" : "warning:") + " " + printable(diagnostic.message) + "\n";
  if (diagnostic.source && diagnostic.mark.line > 0) {
    const auto [line, caret] = excerpt(line_of(diagnostic.source->text, diagnostic.mark.line), diagnostic.mark.column);
    if (!trim(line).empty()) {
      out += "    " + line + "\n";
      out += "    " + paint("1;32", caret) + "\n";
    }
  }
  if (!diagnostic.hint.empty()) out += "    " + paint("36", "hint:") + " " + printable(diagnostic.hint) + "\n";
  return out;
}

std::string Diagnostics::render(bool colour) const {
  std::vector<const Diagnostic*> order;
  order.reserve(all_.size());
  for (const auto& diagnostic : all_) order.push_back(&diagnostic);
  std::map<const Source*, std::size_t> first_seen;
  for (const auto* diagnostic : order) first_seen.emplace(diagnostic->source.get(), first_seen.size());
  // Where not all are shown, the errors come first.
  constexpr std::size_t most_shown = 100;
  const bool too_many = order.size() > most_shown;
  std::stable_sort(order.begin(), order.end(), [&](const Diagnostic* a, const Diagnostic* b) {
    const auto key = [&](const Diagnostic* d) {
      return std::make_tuple(too_many && d->severity != Diagnostic::Severity::error, first_seen.at(d->source.get()),
                             d->mark.line, d->mark.column);
    };
    return key(a) < key(b);
  });
  if (too_many) order.resize(most_shown);
  std::string out;
  for (const auto* diagnostic : order) out += viaduct::render(*diagnostic, colour);
  if (too_many) out += str("and ", all_.size() - most_shown, " more\n");
  return out;
}

}  // namespace viaduct
