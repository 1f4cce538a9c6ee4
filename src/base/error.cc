#include "base/error.h"

#include <cstring>

namespace viaduct {

Error::Error(std::string reason, ExitCode code, std::string hint)
    : message_(std::move(reason)), hint_(std::move(hint)), code_(code) {}

Error Error::from_errno(const std::string& what, int error_number, ExitCode code) {
  return Error(what + ": " + std::strerror(error_number), code);
}

Error& Error::with_context(const std::string& context) {
  message_ = context + ": " + message_;
  return *this;
}

}  // namespace viaduct
