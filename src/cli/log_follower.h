#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/fd.h"
#include "launcher/log_line.h"

namespace viaduct::cli {

// Reads a job's log as it grows, whole lines only.
class LogFollower {
 public:
  using Sink = std::function<void(const launcher::LogLine&)>;
  explicit LogFollower(Sink sink) : sink_(std::move(sink)) {}

  void open(const std::filesystem::path& log);   // leaves the log before; a file that isn't there yet is waited for
  void read_new();                               // hands on every whole line since the last time
  void finish();                                 // and what is left without a newline
  int wake_fd() const { return events_.get(); }  // readable when the log has grown; -1 when none is open

 private:
  Sink sink_;
  std::filesystem::path log_;
  Fd file_;
  Fd events_;
  std::string partial_;
};

}  // namespace viaduct::cli
