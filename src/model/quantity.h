#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace viaduct::model {

// A Kubernetes resource.Quantity: "500m", "1.5Gi", "12e3". Held exactly, as a whole number of nano-units within 2^63-1
// units either way, together with the family of suffixes it was written with. What is beyond is capped; what is nearer
// to zero than 1n, or has digits below the nano, is rounded away from zero.
//
// The rules, and to_string, are those of k8s.io/apimachinery/pkg/api/resource 0.29, but for these places, where that
// package departs from its own documentation: it caps binary quantities alone, and value() of larger ones overflows;
// it takes a text whose number has no digit ("-", "Mi", "E3") for 0, which here is malformed as in a CRD's schema; and
// value() rounds some negative numbers towards zero.
class Quantity {
 public:
  enum class Family : std::uint8_t { decimal, binary, exponent };  // 500m, 12M; 12Mi; 12e6

  Quantity() = default;  // 0

  // Throws Error with ExitCode::bad_input, in Kubernetes' words. Blanks around the number aren't allowed.
  static Quantity parse(std::string_view text);

  // In whole units (bytes, CPUs, devices), and in thousandths; rounded away from zero: 100m is one CPU.
  // milli_value stays within std::int64_t, so from 2^63/1000 up it gives the largest (or smallest) one.
  std::int64_t value() const;
  std::int64_t milli_value() const;

  // Canonical: no fraction, the largest suffix of the family that allows it. 1.5Gi is 1536Mi, 0.5 is 500m. A binary
  // quantity below 1024, or with a fraction, is written with a decimal suffix. Parses back as an equal quantity.
  std::string to_string() const;

  Quantity& operator+=(const Quantity& other);  // keeps within the bounds; 0 takes the suffix family of `other`
  friend Quantity operator+(Quantity a, const Quantity& b) { return a += b; }

  // By value alone: 1Ki equals 1024.
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.nano_ == b.nano_; }
  friend std::strong_ordering operator<=>(const Quantity& a, const Quantity& b) { return a.nano_ <=> b.nano_; }

 private:
  __extension__ typedef __int128 Int128;

  std::int64_t in_units_of(std::int64_t nanos) const;

  Int128 nano_ = 0;  // 2^63-1 units are about 2^93 nano-units
  Family family_ = Family::decimal;
};

}  // namespace viaduct::model
