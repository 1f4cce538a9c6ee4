#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace viaduct {

// Wall-clock time in milliseconds since 1970 UTC. Pure code gets it handed in.
struct Timestamp {
  std::int64_t ms = 0;
  auto operator<=>(const Timestamp&) const = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

class SystemClock : public Clock {
 public:
  Timestamp now() const override;
};

std::string format_rfc3339(Timestamp time);          // "2026-03-01T12:30:05.250Z"
std::string format_rfc3339_seconds(Timestamp time);  // as Kubernetes writes metav1.Time: "2026-03-01T12:30:05Z"
Timestamp parse_rfc3339(std::string_view text);      // UTC only, as written above; throws Error
std::string format_duration(std::int64_t ms);        // "850ms", "12s", "3m05s", "2h07m", "3d04h"

}  // namespace viaduct
