#include "hosts/bootstrap.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::hosts {

static void check_directory(const std::string& directory) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-+@:/,").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (directory.starts_with("/") && std::ranges::all_of(directory, plain)) return;
  throw Error(str("VIADUCT_REMOTE_DIR: not a plain absolute path: ", printable(directory)), ExitCode::bad_input,
              "letters, digits and ._-+@:/, are fine");
}

std::string bootstrap_command(std::string_view digest, std::size_t size, const std::string& remote_directory) {
  if (!remote_directory.empty()) check_directory(remote_directory);
  const std::string base = remote_directory.empty() ? "${XDG_CACHE_HOME:-${HOME:?}/.cache}/viaduct" : remote_directory;
  // No single quote may stand in it, nor anything that csh looks for in single quotes. Several hosts may share the
  // directory, and place the agent at once: `ln` lets one of them win, and never replaces what already runs.
  return str(
      "exec sh -c 'umask 077; d=\"", base, "/agents/", digest, "\"; a=\"$d/viaduct-agent\"; ",
      "if [ ! -x \"$a\" ]; then mkdir -p \"$d\" && t=`mktemp \"$d/new.XXXXXX\"` || exit 1; echo \"", bootstrap_want,
      "\"; ", "head -c ", size, " > \"$t\" && [ `wc -c < \"$t\"` -eq ", size,
      " ] && chmod 700 \"$t\" && { ln \"$t\" \"$a\" 2> /dev/null || [ -x \"$a\" ]; } || { rm -f \"$t\"; exit 1; }; ",
      "rm -f \"$t\"; fi; echo \"", bootstrap_have, "\"; exec \"$a\" node'");
}

}  // namespace viaduct::hosts
