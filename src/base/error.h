#pragma once

#include <exception>
#include <string>
#include <vector>

#include "base/exit_code.h"

namespace viaduct {

// The one exception type: thrown when work cannot go on. The thrower gives the reason (and, where it knows one, the
// way out as a hint); callers that own context add it with `with_context` and rethrow. Caught in main only (and, in
// daemons, once per job and per request), where it becomes one line and an exit code.
class Error : public std::exception {
 public:
  explicit Error(std::string reason, ExitCode code = ExitCode::failure, std::string hint = "");

  // errno as text after the reason: "open /x: Permission denied".
  static Error from_errno(const std::string& what, int error_number, ExitCode code = ExitCode::failure);

  Error& with_context(const std::string& context);  // outermost context comes first in what()

  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& hint() const { return hint_; }
  ExitCode code() const { return code_; }

 private:
  std::string message_;
  std::string hint_;
  ExitCode code_;
};

}  // namespace viaduct
