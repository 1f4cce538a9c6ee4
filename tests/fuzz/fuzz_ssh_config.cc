// One text, read as the client's configuration, as its command line, as known_hosts and as a hostfile: nothing crashes,
// and what comes out keeps its promises.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "launcher/hostfile.h"
#include "sshkeys/known_hosts.h"
#include "sshkeys/ssh_arguments.h"
#include "sshkeys/ssh_config.h"

using namespace viaduct;

static void require(bool promise) {
  if (!promise) std::abort();
}

static void check(const std::vector<sshkeys::SshSetting>& settings, const std::string& host, const std::string& home) {
  const auto target = sshkeys::resolve_target(settings, host, home);
  require(target.host == host && !host.empty() && !target.host_name.empty() && !target.alias.empty());
  require(target.port >= 1 && target.port <= 65535);
  require(target.deadline_seconds >= 1 && target.deadline_seconds <= 86400);
  require(target.alive_interval_seconds >= 0 && target.alive_count >= 1);
  require(target.verbosity >= 0 && target.verbosity <= 3);
  require(!target.user || !target.user->empty());
  for (const auto& file : target.identities) require(!file.empty());
  for (const auto& file : target.known_hosts) require(!file.empty());
}

static void read_config(std::string_view text) {
  for (const auto* home : {"", "/home/me"}) {
    try {
      check(sshkeys::parse_ssh_config(text, "config"), "node1", home);
    } catch (const Error&) {
    }
  }
}

static void read_arguments(std::string_view text) {
  try {
    const auto arguments = sshkeys::parse_ssh_arguments(split(text, '\n'));
    require(!arguments.command.empty());
    check(arguments.settings, arguments.host, "/home/me");
  } catch (const Error&) {
  }
}

// A line of the text's own that says yes is believed, unless the text revokes it.
static void read_known_hosts(const std::string& text) {
  using sshkeys::KeyVerdict;
  (void)sshkeys::check_known_host(text, "[node1]:2222", "ssh-rsa", "AAAAB3==");
  const auto verdict = sshkeys::check_known_host(text + "\nnode1 ssh-ed25519 AAAA\n", "node1", "ssh-ed25519", "AAAA");
  require(verdict == KeyVerdict::match || verdict == KeyVerdict::revoked);
}

// Great ranges are slow, and fuzz_hostlist's matter.
static bool has_great_range(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > 3 && contains(text, "[")) return true;
  }
  return false;
}

static void read_hostfile(std::string text) {
  if (has_great_range(text)) return;
  Diagnostics diagnostics;
  const auto source = std::make_shared<const Source>(Source{"hosts", std::move(text)});
  const auto hosts = launcher::parse_hostfile(source, 0, diagnostics);
  require(!hosts.empty() || diagnostics.has_errors());
  std::set<std::string_view> names;
  for (const auto& [host, slots] : hosts) {
    require(!host.empty() && slots >= 0 && slots <= launcher::most_slots);
    require(names.insert(host).second);
  }
  if (hosts.size() < 100) diagnostics.render(true);
  try {
    require(!launcher::parse_host_words(source->text, 1).empty());
  } catch (const Error&) {
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_config(text);
  read_arguments(text);
  read_known_hosts(text);
  read_hostfile(text);
  return 0;
}
