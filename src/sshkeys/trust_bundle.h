#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sshkeys/key.h"

namespace viaduct::sshkeys {

// Which hosts share a host key. A Kubernetes Secret that every pod mounts can hold only one; whoever has that one could
// stand in for any other host of the same job.
enum class HostKeys { per_node, per_job };

// Everything by which the hosts of one attempt of a job know each other, made anew for each attempt. The private client
// key belongs on the launcher alone; a worker holds its own host key and the client's public key.
struct TrustBundle {
  struct Node {
    std::string name;  // as the hostfile names it; the key is pinned by this name, not by an address
    PrivateKey host_key;
  };
  std::string job;
  int attempt = 1;
  HostKeys host_keys = HostKeys::per_node;
  PrivateKey client;
  std::vector<Node> nodes;  // with HostKeys::per_job every node has the same key
};
// Throws Error (bad_input) for what is no host name or is given twice (the case of letters does not count).
TrustBundle make_trust_bundle(std::string job, int attempt, const std::vector<std::string>& nodes,
                              HostKeys host_keys = HostKeys::per_node);

// Where and as whom a node is reached. The name is that of the bundle.
struct NodeAddress {
  std::string name;
  std::string address;  // to connect to; "": the name
  int port = 22;
};

// The line for the client's key: `restrict` (OpenSSH 7.2: no pty, no forwarding, no user rc, nothing added later) and
// the command that judges what may run, for a shell. Neither text may have newlines.
std::string render_authorized_keys(const PublicKey& client, const std::string& comment, const std::string& command);
std::string render_known_hosts(const TrustBundle& bundle);

// For `ssh -F`: host keys checked by name, this one key and no other, never a question. `user` "": who calls.
struct SshConfigOptions {
  std::string user;
  std::string identity_file;     // the private client key
  std::string known_hosts_file;  // render_known_hosts
  int deadline_seconds = 30;     // for resolving and connecting, with retries (OpenSSH: for one connection)
};
std::string render_ssh_config(const std::vector<NodeAddress>& nodes, const SshConfigOptions& options);

// For `sshd -f`, where a node runs OpenSSH's server.
struct SshdConfigOptions {
  int port = 2222;
  std::string host_key_file;
  std::string authorized_keys_file;
  std::string pid_file = "none";
};
std::string render_sshd_config(const SshdConfigOptions& options);

// The bundle as a directory, mode 0700, every file of it 0600 from birth:
//
//   bundle.json     BundleRecord; no secret
//   launcher/       id_ed25519  id_ed25519.pub  known_hosts  ssh_config
//   nodes/<name>/   ssh_host_ed25519_key  ssh_host_ed25519_key.pub  authorized_keys  sshd_config
//
// `launcher` goes to the launcher alone, nodes/<name> to that node alone. The configurations name their files by these
// paths below `directory`, and authorized_keys names `agent`, whose `gate` judges commands.
struct BundleLayout {
  std::filesystem::path directory;     // absolute
  std::vector<NodeAddress> addresses;  // of every node
  std::string user;                    // to log in as; "": who calls
  std::string agent;                   // absolute path of viaduct-agent on the nodes
};

// What is known of a bundle without its keys.
struct BundleRecord {
  std::string job;
  int attempt = 1;
  HostKeys host_keys = HostKeys::per_node;
  BundleLayout layout;
};

// Each of these is one step for whoever looks at `directory`: it sees no bundle, or a whole one, also when the process
// is killed. What a killed process leaves beside it (.viaduct-keys-…) is removed by the next call there, an hour later
// at the earliest. Where a file system can't exchange directories (NFS), there is a moment without any while a bundle
// is replaced; a process that is killed then leaves the old one as .<directory>.old, and the next call puts it back.

// Throws Error: (bad_input) for a name, an address or a path that doesn't fit into the files; (conflict) when the
// directory is there; (missing_on_host) when it can't be written. Leaves nothing behind after any failure.
void write_trust_bundle(const TrustBundle& bundle, const BundleLayout& layout);
// Throws Error (not_found) when there is none, (bad_input) when the record is damaged.
BundleRecord read_bundle_record(const std::filesystem::path& directory);
// New keys for the next attempt in place of the old ones, which are removed. Returns the new record. Throws Error, as
// those above, and (conflict) while another process replaces or removes the bundle.
BundleRecord rotate_trust_bundle(const std::filesystem::path& directory);
// Removes the files; they are not overwritten. Throws Error (not_found), and (conflict) as above.
void remove_trust_bundle(const std::filesystem::path& directory);

}  // namespace viaduct::sshkeys
