#include "launcher/remote_hosts.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "launcher/log_line.h"

namespace viaduct::launcher {
namespace {

constexpr std::size_t longest_line = std::size_t{2} << 20;  // bytes; a relay sends none that is longer
constexpr std::size_t longest_reason = 300;                 // bytes

// What ssh said, without its own name and the host's.
std::string reason_in(std::string_view line, const std::string& host) {
  for (const std::string& prefix : {std::string("viaduct-agent ssh: "), str(host, ": "), std::string("not yet: ")})
    if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
  return std::string(line);
}

}  // namespace

RemoteHosts::RemoteHosts(std::vector<Host> hosts, const Options& options, const Environment& environment) {
  for (auto& host : hosts) connections_.push_back(connect(std::move(host), options, environment));
}

RemoteHosts::Connection RemoteHosts::connect(Host host, const Options& options, const Environment& environment) const {
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  SpawnOptions spawn;
  spawn.argv = {options.agent,
                "ssh",
                "-v",
                "-F",
                options.ssh_config,
                str("-oConnectTimeout=", options.deadline_seconds),
                host.name,
                options.agent,
                "relay",
                "--output",
                str(options.output, ".", host.node)};
  spawn.environment = &environment;
  spawn.stdin_fd = input.read_end.get();
  spawn.stdout_fd = output.write_end.get();
  spawn.stderr_fd = errors.write_end.get();
  Process ssh = Process::spawn(spawn);
  set_non_blocking(input.write_end.get());
  set_non_blocking(output.read_end.get());
  set_non_blocking(errors.read_end.get());
  return {std::move(host),
          std::move(ssh),
          std::move(input.write_end),
          std::move(output.read_end),
          std::move(errors.read_end),
          std::nullopt,
          "",
          "",
          ""};
}

void RemoteHosts::add_polls(std::vector<pollfd>& fds) const {
  for (const auto& connection : connections_) {
    fds.push_back({connection.output.get(), POLLIN, 0});
    fds.push_back({connection.errors.get(), POLLIN, 0});
  }
}

bool RemoteHosts::read(const RemoteSink& sink) {
  bool any = false;
  for (auto& connection : connections_) {
    read_errors(connection);
    if (read_output(connection, sink)) any = true;
  }
  return any;
}

void RemoteHosts::read_errors(Connection& connection) {
  while (connection.errors) {
    const auto [chunk, ready] = read_some(connection.errors.get());
    if (!ready) return;
    if (chunk.empty()) connection.errors.reset();
    connection.partial_errors += chunk;
    for (std::size_t end = 0; (end = connection.partial_errors.find('\n')) != std::string::npos;) {
      const std::string line = connection.partial_errors.substr(0, end);
      connection.said = printable(abbreviated(reason_in(line, connection.host.name), longest_reason));
      connection.partial_errors.erase(0, end + 1);
    }
    if (connection.partial_errors.size() > longest_line) connection.partial_errors.clear();
  }
}

bool RemoteHosts::read_output(Connection& connection, const RemoteSink& sink) {
  if (!connection.output) return false;
  const auto [chunk, ready] = read_some(connection.output.get(), 1 << 18);
  if (!ready) return false;
  connection.partial_output += chunk;
  std::size_t start = 0;
  const std::string_view text = connection.partial_output;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', start)) {
    take_line(connection, text.substr(start, end - start), sink);
    start = end + 1;
  }
  connection.partial_output.erase(0, start);
  if (!chunk.empty() && connection.partial_output.size() <= longest_line) return true;
  connection.output.reset();
  connection.input.reset();
  read_errors(connection);
  lose(connection, connection.ready ? "the connection to it broke" : "it could not be reached");
  return false;
}

void RemoteHosts::lose(const Connection& connection, const std::string& otherwise) {
  if (connection.over || lost_) return;
  lost_ = Lost{connection.host.name, connection.said.empty() ? otherwise : connection.said};
}

void RemoteHosts::take_line(Connection& connection, std::string_view line, const RemoteSink& sink) {
  if (!connection.ready) {
    connection.ready = parse_ready(line);
    connection.said.clear();
    return;
  }
  if (line == relay_over) connection.over = true;
  if (const auto hello = parse_hello(line)) return sink.hello(*hello);
  const LogLine parsed = parse_log_line(line);
  if (parsed.source == LogLine::Source::rank) sink.line(static_cast<int>(parsed.rank), parsed.is_error, parsed.text);
}

std::size_t RemoteHosts::ready_count() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(connections_, [](const auto& connection) { return connection.ready.has_value(); }));
}

std::vector<RelayReady> RemoteHosts::ready() const {
  std::vector<RelayReady> all;
  for (const auto& connection : connections_)
    if (connection.ready) all.push_back(*connection.ready);
  return all;
}

std::string RemoteHosts::describe_waiting() const {
  constexpr std::size_t most_named = 5;
  std::vector<std::string> names;
  for (const auto& connection : connections_)
    if (!connection.ready)
      names.push_back(connection.said.empty() ? connection.host.name
                                              : str(connection.host.name, " (", connection.said, ")"));
  if (names.size() <= most_named) return join(names, ", ");
  const std::size_t more = names.size() - most_named;
  names.resize(most_named);
  return str(join(names, ", "), " and ", more, " more");
}

void RemoteHosts::signal_ranks(int signal) {
  const std::string request = str("signal ", signal, "\n");
  for (auto& connection : connections_)  // a pipe that has no room belongs to a host that doesn't listen any more
    if (connection.input) [[maybe_unused]]
      const auto written = ::write(connection.input.get(), request.data(), request.size());
}

void RemoteHosts::finish() {
  for (auto& connection : connections_) connection.input.reset();
}

void RemoteHosts::give_up() {
  for (const auto& connection : connections_)
    if (connection.output) lose(connection, "it does not answer any more");
}

bool RemoteHosts::open() const {
  return std::ranges::any_of(connections_, [](const auto& connection) { return static_cast<bool>(connection.output); });
}

}  // namespace viaduct::launcher
