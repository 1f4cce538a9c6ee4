#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace viaduct::model {

// A Kubernetes resource.Quantity: "500m", "1.5Gi", "12e3". Held exactly, as a whole number of nano-units, together with
// the family of suffix it was written with. Within 2^63-1 either way; what is nearer to zero than 1n, or has digits
// behind the nano, is rounded away from zero.
//
// The rules are those of k8s.io/apimachinery/pkg/api/resource (0.29, compared by test). It differs from its own
// documentation in two places, where Viaduct follows the documentation: numbers with a decimal suffix or exponent are
// capped at 2^63-1 too (its code caps only the binary ones, and Value then overflows), and a text without any digit
// ("-", "Mi"), which its code takes for 0, is malformed. It also rounds some negative numbers towards zero in Value.
class Quantity {
 public:
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
  enum class Family : std::uint8_t { decimal, binary, exponent };
  __extension__ typedef __int128 Int128;  // the largest quantity is about 2^93 nano-units

  struct Scale;
  static const Int128 largest;
  static Scale scale_of(std::string_view suffix);
  std::int64_t rounded_up(std::int64_t nanos_per_unit) const;

  Int128 nano_ = 0;
  Family family_ = Family::decimal;
};

}  // namespace viaduct::model
