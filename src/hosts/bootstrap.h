#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace viaduct::hosts {

// What the user's ssh is asked to run on a host: a line for any login shell, POSIX or not. It says `bootstrap_have` or
// `bootstrap_want` on a line of its own (whatever a login script prints before); after the latter it reads `size`
// bytes, the agent, from standard input, and says `bootstrap_have`. Then it becomes `viaduct-agent node`. `digest`
// names the agent's content. `remote_directory` "": $XDG_CACHE_HOME/viaduct or ~/.cache/viaduct there. A directory or
// an agent that belongs to another user, or that others may write, is refused: a line on standard error, exit code 1.
// Throws Error
// (bad_input) for a directory that isn't absolute or has other characters than letters, digits and "._-+@:/,".
std::string bootstrap_command(std::string_view digest, std::size_t size, const std::string& remote_directory);

inline constexpr std::string_view bootstrap_have = "viaduct: agent ready";
inline constexpr std::string_view bootstrap_want = "viaduct: agent wanted";

}  // namespace viaduct::hosts
