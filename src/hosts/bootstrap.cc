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
  // directory, and place the agent at once: `ln` lets one of them win, and never replaces what already runs. Nobody
  // else may have placed one, nor be able to.
  return str(
      "exec sh -c 'umask 077; b=\"", base, "\"; d=\"$b/agents/", digest, "\"; a=\"$d/viaduct-agent\"; ",
      "check() { w=`find \"$1\" -prune -perm -20 -o -perm -2` && [ -z \"$w\" ] && [ ! -L \"$1\" ] && [ -O \"$1\" ] || ",
      "{ echo \"viaduct: refused: $1 belongs to somebody else or others may write it\" >&2; exit 1; }; }; ",
      "mkdir -p \"$d\" || exit 1; check \"$b\"; check \"$b/agents\"; check \"$d\"; ",
      "if [ ! -x \"$a\" ]; then t=`mktemp \"$d/new.XXXXXX\"` || exit 1; ",
      "trap \"rm -f \\\"\\$t\\\"\" 0; trap \"exit 1\" HUP INT TERM; echo \"", bootstrap_want, "\"; ", "head -c ", size,
      " > \"$t\" && [ `wc -c < \"$t\"` -eq ", size,
      " ] && chmod 700 \"$t\" && { ln \"$t\" \"$a\" 2> /dev/null || [ -x \"$a\" ]; } || exit 1; ",
      "rm -f \"$t\"; fi; check \"$a\"; echo \"", bootstrap_have, "\"; exec \"$a\" node'");
}

}  // namespace viaduct::hosts
