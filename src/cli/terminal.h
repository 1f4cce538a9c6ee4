#pragma once

#include <string>
#include <string_view>

#include "base/environment.h"

namespace viaduct::cli {

// Standard output and standard error as a person or a pipe sees them. Colour only on a terminal, and never with
// NO_COLOR set or TERM=dumb. Owns the one status line at the bottom of a terminal.
class Terminal {
 public:
  explicit Terminal(const Environment& environment);

  bool out_is_terminal() const { return out_is_terminal_; }
  bool err_is_terminal() const { return err_is_terminal_; }
  bool colour_out() const { return out_is_terminal_ && colour_; }
  bool colour_err() const { return err_is_terminal_ && colour_; }
  int width() const;  // columns of standard error; 80 when it is no terminal

  void out(std::string_view text);
  void err(std::string_view text);
  void show_status(const std::string& line);  // replaces the status line; only on a terminal
  void clear_status();

 private:
  // What nobody is there to read is dropped: who supervises a run is told by a signal, SIGHUP or SIGPIPE.
  void write(int fd, std::string_view text);

  bool out_is_terminal_;
  bool err_is_terminal_;
  bool dumb_;  // knows no way to go back in a line
  bool colour_;
  bool status_shown_ = false;
  bool out_is_gone_ = false;
  bool err_is_gone_ = false;
};

std::string paint(bool colour, std::string_view code, std::string_view text);

}  // namespace viaduct::cli
