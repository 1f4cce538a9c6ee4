#pragma once

#include <string>
#include <string_view>

namespace viaduct::sshkeys {

std::string sha256_hex(std::string_view bytes);  // in lower case; throws Error

}  // namespace viaduct::sshkeys
