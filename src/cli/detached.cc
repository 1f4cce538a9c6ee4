#include "cli/detached.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "bridge/supervisor.h"

namespace viaduct::cli {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

model::JobRecord look_at(Context& context, const std::string& name) {
  auto backend = context.local_backend();
  return bridge::load_and_repair(name, context.store, *backend, context.clock);
}

void start_supervisor(Context& context, const std::string& name) {
  const auto errors = context.store.directory(name) / "logs" / "supervisor.log";
  const Fd log = open_for_append(errors, 0600);
  Pipe ready = make_pipe();
  SpawnOptions options;
  options.argv = {context.executable.string(), "supervise", name};
  options.environment = &context.environment;
  options.stdout_fd = ready.write_end.get();
  options.stderr_fd = log.get();
  options.new_session = true;
  Process supervisor = Process::spawn(options);
  ready.write_end.reset();
  if (!read_some(ready.read_end.get(), 1).first.empty()) {
    supervisor.release();
    return;
  }
  const ExitStatus status = supervisor.wait();
  const std::string said(trim(read_file_if_exists(errors).value_or("")));
  const std::string last = said.substr(said.rfind("viaduct: ") == std::string::npos ? 0 : said.rfind("viaduct: ") + 9);
  throw Error(str("the job's supervisor could not start: ", last.empty() ? describe(status) : last),
              static_cast<ExitCode>(status.shell_code()));
}

std::optional<model::JobRecord> wait_for(Context& context, const std::string& name,
                                         const std::function<bool(const model::JobRecord&)>& done,
                                         std::optional<milliseconds> limit) {
  constexpr milliseconds look_again(1000);  // changes on another host, and supervisors that were killed, make no event
  const Fd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ::inotify_add_watch(events.get(), context.store.directory(name).c_str(), IN_MOVED_TO);
  const auto deadline = limit ? steady_clock::now() + *limit : steady_clock::time_point::max();
  for (;;) {
    auto record = look_at(context, name);
    if (done(record)) return record;
    const auto left = std::min(look_again, std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()));
    if (left.count() <= 0) return std::nullopt;
    pollfd changed{events.get(), POLLIN, 0};
    ::poll(&changed, 1, static_cast<int>(left.count()));
    if (events) read_some(events.get());
  }
}

}  // namespace viaduct::cli
