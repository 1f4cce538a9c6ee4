#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "model/quantity.h"

using namespace viaduct;

static std::optional<model::Quantity> parse(std::string_view text) {
  try {
    return model::Quantity::parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Canonical text parses, and as an equal quantity; the roundings agree with each other.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto quantity = parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!quantity) return 0;
  if (parse(quantity->to_string()) != quantity) std::abort();
  if (*quantity + model::Quantity() != *quantity) std::abort();
  const bool positive = *quantity > model::Quantity();
  if (positive != (quantity->value() > 0) || positive != (quantity->milli_value() > 0)) std::abort();
  return 0;
}
