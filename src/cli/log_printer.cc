#include "cli/log_printer.h"

#include <array>

#include "base/text.h"

namespace viaduct::cli {

std::string LogPrinter::label(std::int64_t rank, bool colour) const {
  static constexpr std::array<std::string_view, 6> colours = {"36", "33", "32", "35", "34", "31"};
  std::string number = std::to_string(rank);
  const std::string padding(width_ > number.size() ? width_ - number.size() : 0, ' ');
  if (static_cast<std::size_t>(rank) < hosts_.size()) number += str(" ", hosts_[static_cast<std::size_t>(rank)]);
  return paint(colour, colours[static_cast<std::size_t>(rank) % colours.size()], str(padding, "[", number, "]")) + " ";
}

void LogPrinter::print(const launcher::LogLine& line) {
  using Source = launcher::LogLine::Source;
  if (only_rank_ && (line.source != Source::rank || line.rank != *only_rank_)) return;
  const bool to_err = line.is_error || line.source == Source::viaduct;
  const bool colour = to_err ? terminal_.colour_err() : terminal_.colour_out();
  std::string text;
  if (line.source == Source::rank && labels_) text = label(line.rank, colour);
  if (line.source == Source::viaduct) text = "viaduct: ";
  text += line.text;
  text += '\n';
  if (to_err) {
    terminal_.err(text);
  } else {
    terminal_.out(text);
  }
}

}  // namespace viaduct::cli
