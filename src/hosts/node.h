#pragma once

#include "base/environment.h"

namespace viaduct::hosts {

// `viaduct-agent node`: what `reach` starts on each host by the user's own ssh. It says who it is, serves the job's SSH
// with keys that come over standard input and never touch a disk, and on the first host launches the run. Speaks frames
// (hosts/frames.h) on standard input and output. At the end of its input everything it started is ended, and nothing of
// it is left on the host. Returns what to exit with.
int node(const Environment& environment);

}  // namespace viaduct::hosts
