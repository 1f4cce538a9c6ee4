#pragma once

#include <string>
#include <string_view>

#include "base/value.h"

// What YAML takes a plain scalar for; shared by the reader and the writer. All pure.
namespace viaduct {

// What YAML lets stand in a text outside of escapes (`printable` in its grammar).
bool is_printable(char32_t c);

// YAML 1.2's core schema for a plain scalar.
Value::Kind resolve_plain(std::string_view text);

// Why a plain scalar means something else in YAML 1.1 (which kubectl and PyYAML read) than in YAML 1.2; "" when it
// does not.
std::string surprise_in_yaml_1_1(std::string_view text);

}  // namespace viaduct
