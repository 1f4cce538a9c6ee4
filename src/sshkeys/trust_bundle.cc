#include "sshkeys/trust_bundle.h"

#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct::sshkeys {
namespace {

PrivateKey copy_of(const PrivateKey& key) { return PrivateKey::parse(key.openssh(), "a host key"); }

// A value of OpenSSH's configuration files, which end a word at a blank.
std::string quoted(const std::string& value) {
  if (value.find('"') != std::string::npos || value.find('\n') != std::string::npos)
    throw Error(str("OpenSSH takes no path with quotes or newlines: ", printable(value)), ExitCode::bad_input);
  return value.find(' ') == std::string::npos ? value : str('"', value, '"');
}

void write_private(const fs::path& path, std::string_view content) {
  if (!create_file_exclusively(path, content, 0600))
    throw Error(str(path.string(), " is there already"), ExitCode::conflict);
}

void write_key_pair(const fs::path& path, const PrivateKey& key, const std::string& comment) {
  write_private(path, key.openssh().view());
  write_private(path.string() + ".pub", key.public_key().line(comment) + "\n");
}

void write_files(const TrustBundle& bundle, const BundleLayout& layout) {
  const std::string comment = str("viaduct job ", bundle.job, " attempt ", bundle.attempt);
  const fs::path launcher = layout.directory / "launcher";
  create_directories(launcher, 0700);
  write_key_pair(launcher / "id_ed25519", bundle.client, comment);
  write_private(launcher / "known_hosts", render_known_hosts(bundle));
  SshConfigOptions client;
  client.user = layout.user;
  client.identity_file = launcher / "id_ed25519";
  client.known_hosts_file = launcher / "known_hosts";
  write_private(launcher / "ssh_config", render_ssh_config(layout.addresses, client));
  for (std::size_t i = 0; i < bundle.nodes.size(); ++i) {
    const fs::path node = layout.directory / "nodes" / bundle.nodes[i].name;
    create_directories(node, 0700);
    write_key_pair(node / "ssh_host_ed25519_key", bundle.nodes[i].host_key, bundle.nodes[i].name);
    write_private(node / "authorized_keys",
                  render_authorized_keys(bundle.client.public_key(), comment, str(layout.agent, " gate")));
    SshdConfigOptions server;
    server.port = layout.addresses.at(i).port;
    server.host_key_file = node / "ssh_host_ed25519_key";
    server.authorized_keys_file = node / "authorized_keys";
    write_private(node / "sshd_config", render_sshd_config(server));
  }
}

}  // namespace

TrustBundle make_trust_bundle(std::string job, int attempt, const std::vector<std::string>& nodes, HostKeys host_keys) {
  TrustBundle bundle = {std::move(job), attempt, host_keys, PrivateKey::generate(), {}};
  for (const auto& name : nodes) {
    const bool copy = host_keys == HostKeys::per_job && !bundle.nodes.empty();
    bundle.nodes.push_back({name, copy ? copy_of(bundle.nodes.front().host_key) : PrivateKey::generate()});
  }
  return bundle;
}

std::string render_authorized_keys(const PublicKey& client, const std::string& comment, const std::string& command) {
  return str("restrict,command=\"", command, "\" ", client.line(comment), "\n");
}

std::string render_known_hosts(const TrustBundle& bundle) {
  std::string text;
  for (const auto& node : bundle.nodes) {
    const PublicKey key = node.host_key.public_key();
    text += str(node.name, " ", key.type, " ", key.base64, "\n");
  }
  return text;
}

std::string render_ssh_config(const std::vector<NodeAddress>& nodes, const SshConfigOptions& options) {
  std::string text;
  for (const auto& node : nodes)
    text += str("Host ", node.name, "\n  HostName ", node.address.empty() ? node.name : node.address,
                "\n  HostKeyAlias ", node.name, "\n  Port ", node.port, "\n");
  text += "Host *\n";
  if (!options.user.empty()) text += str("  User ", options.user, "\n");
  text += str("  IdentityFile ", quoted(options.identity_file), "\n  UserKnownHostsFile ",
              quoted(options.known_hosts_file), "\n  ConnectTimeout ", options.deadline_seconds, "\n");
  return text +
         "  GlobalKnownHostsFile /dev/null\n"
         "  IdentitiesOnly yes\n"
         "  IdentityAgent none\n"
         "  BatchMode yes\n"
         "  StrictHostKeyChecking yes\n"
         "  UpdateHostKeys no\n"
         "  CheckHostIP no\n"
         "  PreferredAuthentications publickey\n"
         "  HostKeyAlgorithms ssh-ed25519\n"
         "  KexAlgorithms curve25519-sha256\n"
         "  ForwardAgent no\n"
         "  ForwardX11 no\n"
         "  ClearAllForwardings yes\n"
         "  LogLevel ERROR\n";
}

std::string render_sshd_config(const SshdConfigOptions& options) {
  return str("Port ", options.port, "\nHostKey ", quoted(options.host_key_file), "\nAuthorizedKeysFile ",
             quoted(options.authorized_keys_file), "\nPidFile ", options.pid_file, "\n") +
         "AuthenticationMethods publickey\n"
         "PubkeyAuthentication yes\n"
         "PasswordAuthentication no\n"
         "KbdInteractiveAuthentication no\n"
         "UsePAM no\n"
         "StrictModes yes\n"
         "PubkeyAcceptedAlgorithms ssh-ed25519\n"
         "HostKeyAlgorithms ssh-ed25519\n"
         "KexAlgorithms curve25519-sha256\n"
         "PermitTTY no\n"
         "DisableForwarding yes\n"
         "PermitTunnel no\n"
         "PermitUserRC no\n"
         "PermitUserEnvironment no\n"
         "UseDNS no\n"
         "MaxStartups 512:30:1024\n"
         "LogLevel INFO\n";
}

void write_trust_bundle(const TrustBundle& bundle, const BundleLayout& layout) {
  if (!create_directory_exclusively(layout.directory, 0700))
    throw Error(str(layout.directory.string(), " is there already"), ExitCode::conflict,
                "remove it, or `viaduct keys rotate` it");
  try {
    write_files(bundle, layout);
  } catch (...) {
    remove_tree(layout.directory);
    throw;
  }
}

}  // namespace viaduct::sshkeys
