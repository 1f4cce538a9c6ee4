#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/fd.h"
#include "base/text.h"

namespace viaduct::cli {

Terminal::Terminal(const Environment& environment)
    : out_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      err_is_terminal_(::isatty(STDERR_FILENO) == 1),
      dumb_(environment.get_or("TERM", "dumb") == "dumb"),
      colour_(environment.get_or("NO_COLOR", "").empty() && !dumb_) {}

int Terminal::width() const {
  winsize size{};
  constexpr int usual_width = 80;
  if (!err_is_terminal_ || ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual_width;
  return size.ws_col;
}

void Terminal::out(std::string_view text) {
  clear_status();
  write(STDOUT_FILENO, text);
}

void Terminal::err(std::string_view text) {
  clear_status();
  write(STDERR_FILENO, text);
}

void Terminal::show_status(const std::string& line) {
  if (!err_is_terminal_ || dumb_) return;
  write(STDERR_FILENO, str("\r\033[K", std::string_view(line).substr(0, static_cast<std::size_t>(width() - 1))));
  status_shown_ = true;
}

void Terminal::clear_status() {
  if (status_shown_) write(STDERR_FILENO, "\r\033[K");
  status_shown_ = false;
}

void Terminal::write(int fd, std::string_view text) {
  bool& gone = fd == STDOUT_FILENO ? out_is_gone_ : err_is_gone_;
  if (gone || write_to_reader(fd, text)) return;
  gone = true;
  // SIGPIPE comes to the writing thread alone; whoever listens for it listens for the process.
  if (errno == EPIPE) ::kill(::getpid(), SIGPIPE);
}

std::string paint(bool colour, std::string_view code, std::string_view text) {
  return colour ? str("\033[", code, "m", text, "\033[0m") : std::string(text);
}

}  // namespace viaduct::cli
