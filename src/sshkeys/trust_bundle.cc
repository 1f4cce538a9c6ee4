#include "sshkeys/trust_bundle.h"

#include <fcntl.h>
#include <stdlib.h>  // mkdtemp
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <limits>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/reader.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct::sshkeys {
namespace {

constexpr const char* record_name = "bundle.json";
constexpr std::string_view aside_prefix = ".viaduct-keys-";  // of directories that are being made or removed
constexpr auto leftovers_live = std::chrono::hours(1);
constexpr std::size_t longest_job_name = 63;    // RFC 1123, section 2.1, by way of Kubernetes
constexpr std::size_t longest_host_name = 253;  // RFC 1123
constexpr std::size_t longest_user_name = 255;  // bytes; LOGIN_NAME_MAX without its zero

constexpr std::string_view lower_digits = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

// ---- what may stand in the files ------------------------------------------------------------------------------------

[[noreturn]] void refuse(std::string_view what, std::string_view text, std::string_view reason, std::string hint = "") {
  throw Error(str(what, " \"", printable(abbreviated(text, 100)), "\": ", reason), ExitCode::bad_input,
              std::move(hint));
}

bool consists_of(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}
bool begins_with(std::string_view text, std::string_view characters) {
  return !text.empty() && characters.find(text.front()) != std::string_view::npos;
}
bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void check_job(const std::string& job) {
  const bool fits = job.size() <= longest_job_name && begins_with(job, lower_digits) && job.back() != '-' &&
                    consists_of(job, str(lower_digits, '-'));
  if (!fits)
    refuse("job", job,
           str("not a name such as Kubernetes takes: 1 to ", longest_job_name,
               " small letters, digits and '-', with a letter or digit at both ends"));
}

// Stricter than a hostlist: the name becomes a directory, a pattern in ssh_config and known_hosts.
void check_node(const std::string& name) {
  if (name.size() > longest_host_name || !begins_with(name, alphanumeric) ||
      !consists_of(name, str(alphanumeric, "-._")))
    refuse("node", name,
           str("not a host name: 1 to ", longest_host_name,
               " letters, digits, '-', '_' and '.', with a letter or digit at the beginning"));
}

void check_address(const NodeAddress& node) {
  const bool fits = node.address.empty() || begins_with(node.address, str(alphanumeric, ':'));
  if (!fits || node.address.size() > longest_host_name || !consists_of(node.address, str(alphanumeric, "-._:")))
    refuse("address", node.address, str("node ", node.name, " can't have that: not a host name or an IP address"));
  if (node.port < 1 || node.port > 65535)
    refuse("port", std::to_string(node.port), str("node ", node.name, " can't have that: ports are 1 to 65535"));
}

void check_user(const std::string& user) {
  const bool fits = user.empty() || begins_with(user, str(alphanumeric, '_'));
  if (!fits || user.size() > longest_user_name || !consists_of(user, str(alphanumeric, "-._@")))
    refuse("user", user, "not a login name: letters, digits, '-', '_', '.' and '@'");
}

// A path as a word of OpenSSH's configuration files. What they would expand or take apart is refused, since releases
// differ in that.
std::string path_word(const std::string& path) {
  if (!path.starts_with('/') || has_control_characters(path) || path.find_first_of("\"'\\%$") != std::string::npos)
    refuse("path", path, "OpenSSH's configuration can't name it: it must be absolute, without quotes and any of \\ % $",
           "choose another directory");
  return path.find_first_of(" #") == std::string::npos ? path : str('"', path, '"');
}

void check_record(const BundleRecord& record) {
  check_job(record.job);
  if (record.attempt < 1) refuse("attempt", std::to_string(record.attempt), "attempts count from 1");
  for (const auto& node : record.layout.addresses) check_address(node);
  check_user(record.layout.user);
  path_word(record.layout.directory);
  if (!record.layout.agent.starts_with('/') || has_control_characters(record.layout.agent))
    refuse("agent", record.layout.agent, "must be the absolute path of viaduct-agent on the nodes");
}

// ---- bundle.json ----------------------------------------------------------------------------------------------------

Value to_value(const BundleRecord& record) {
  Value nodes = Value::sequence();
  for (const auto& node : record.layout.addresses) {
    Value item = Value::mapping();
    item.set("name", node.name);
    if (!node.address.empty()) item.set("address", node.address);
    item.set("port", node.port);
    nodes.push(std::move(item));
  }
  Value out = Value::mapping();
  out.set("job", record.job);
  out.set("attempt", record.attempt);
  out.set("hostKeys", record.host_keys == HostKeys::per_node ? "per-node" : "per-job");
  if (!record.layout.user.empty()) out.set("user", record.layout.user);
  out.set("agent", record.layout.agent);
  out.set("nodes", std::move(nodes));
  return out;
}

BundleRecord read_fields(ObjectReader& reader) {
  BundleRecord record;
  record.job = reader.required_string("job");
  record.attempt = reader.int32("attempt", 1).value_or(0);
  const std::string host_keys = reader.required_string("hostKeys");
  if (host_keys == "per-job") record.host_keys = HostKeys::per_job;
  if (host_keys != "per-job" && host_keys != "per-node") reader.error("hostKeys", "must be per-node or per-job");
  record.layout.user = reader.string("user").value_or("");
  record.layout.agent = reader.required_string("agent");
  reader.objects("nodes", [&](ObjectReader& item) {
    NodeAddress node;
    node.name = item.required_string("name");
    node.address = item.string("address").value_or("");
    node.port = item.int32("port", 1, "", 65535).value_or(0);
    record.layout.addresses.push_back(std::move(node));
  });
  return record;
}

BundleRecord read_record(const fs::path& directory) {
  const fs::path file = directory / record_name;
  const auto text = read_file_if_exists(file);
  if (!text) throw Error(str("there are no keys in ", directory.string()), ExitCode::not_found);
  const Document document = read_json_document(file.string(), *text);
  Diagnostics diagnostics;
  ReadContext context(document.source, diagnostics, ReadContext::PathStyle::pointer);
  ObjectReader reader(document.root, context, "");
  BundleRecord record = read_fields(reader);
  reader.done();
  if (diagnostics.has_errors())
    throw Error(str("the record is damaged, or of another version of Viaduct:\n", trim(diagnostics.render(false))),
                ExitCode::bad_input);
  record.layout.directory = directory;
  check_record(record);
  for (const auto& node : record.layout.addresses) check_node(node.name);
  return record;
}

// ---- files ----------------------------------------------------------------------------------------------------------

void write_private(const fs::path& path, std::string_view content) {
  if (!create_file_exclusively(path, content, 0600))
    throw Error(str(path.string(), " is there already"), ExitCode::conflict);
}

void write_key_pair(const fs::path& path, const PrivateKey& key, const std::string& comment) {
  write_private(path, key.openssh().view());
  write_private(path.string() + ".pub", key.public_key().line(comment) + "\n");
}

void make_directory(const fs::path& path) {
  if (!create_directory_exclusively(path, 0700))
    throw Error(str(path.string(), " is there already"), ExitCode::conflict);
}

void write_launcher(const TrustBundle& bundle, const BundleLayout& layout, const fs::path& directory,
                    const std::string& comment) {
  SshConfigOptions options;
  options.user = layout.user;
  options.identity_file = layout.directory / "launcher/id_ed25519";
  options.known_hosts_file = layout.directory / "launcher/known_hosts";
  make_directory(directory);
  write_key_pair(directory / "id_ed25519", bundle.client, comment);
  write_private(directory / "known_hosts", render_known_hosts(bundle));
  write_private(directory / "ssh_config", render_ssh_config(layout.addresses, options));
}

// Writes the files into `directory`; they name each other as they will be called in layout.directory.
void write_files(const TrustBundle& bundle, const BundleLayout& layout, const fs::path& directory) {
  const std::string comment = str("viaduct job ", bundle.job, " attempt ", bundle.attempt);
  const std::string authorized_keys =
      render_authorized_keys(bundle.client.public_key(), comment, str(shell_quote(layout.agent), " gate"));
  write_launcher(bundle, layout, directory / "launcher", comment);
  make_directory(directory / "nodes");
  for (std::size_t i = 0; i < bundle.nodes.size(); ++i) {
    const fs::path below = fs::path("nodes") / bundle.nodes[i].name;
    const fs::path node = directory / below;
    SshdConfigOptions options;
    options.port = layout.addresses[i].port;
    options.host_key_file = layout.directory / below / "ssh_host_ed25519_key";
    options.authorized_keys_file = layout.directory / below / "authorized_keys";
    make_directory(node);
    write_key_pair(node / "ssh_host_ed25519_key", bundle.nodes[i].host_key, bundle.nodes[i].name);
    write_private(node / "authorized_keys", authorized_keys);
    write_private(node / "sshd_config", render_sshd_config(options));
  }
  const BundleRecord record = {bundle.job, bundle.attempt, bundle.host_keys, layout};
  write_file_atomically(directory / record_name, write_json(to_value(record)) + "\n", 0600);
}

// ---- directories ----------------------------------------------------------------------------------------------------

bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

fs::path old_place(const fs::path& directory) {
  return directory.parent_path() / str(".", directory.filename().string(), ".old");
}

// A directory beside a bundle's, for one that is made or removed. Goes with what is then in it.
class Aside {
 public:
  explicit Aside(const fs::path& directory) {
    sweep(directory.parent_path());
    std::string name = directory.parent_path() / str(aside_prefix, "XXXXXX");
    if (::mkdtemp(name.data()) == nullptr)
      throw Error::from_errno(str("can't create a directory in ", directory.parent_path().string()), errno,
                              ExitCode::missing_on_host);
    path_ = name;
  }
  ~Aside() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  const fs::path& path() const { return path_; }

 private:
  static void sweep(const fs::path& parent) {
    for (const auto& name : list_directory(parent)) {
      if (!name.starts_with(aside_prefix)) continue;
      std::error_code error;
      const auto changed = fs::last_write_time(parent / name, error);
      if (!error && fs::file_time_type::clock::now() - changed > leftovers_live) fs::remove_all(parent / name, error);
    }
  }

  fs::path path_;
};

void build(const TrustBundle& bundle, const BundleLayout& layout, const Aside& aside) {
  try {
    write_files(bundle, layout, aside.path());
  } catch (const Error& e) {
    if (e.code() == ExitCode::bad_input) throw;
    throw Error(e.what(), ExitCode::missing_on_host, "free some space, or choose another directory");
  }
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throw Error::from_errno(str("can't rename ", from.string(), " to ", to.string()), errno);
}

// What others put among the files would be removed with them.
void check_contents(const fs::path& directory) {
  for (const auto& name : list_directory(directory))
    if (name != record_name && name != "launcher" && name != "nodes")
      throw Error(str((directory / name).string(), " is no part of a job's keys"), ExitCode::conflict,
                  "move it away first");
}

// The right to replace or remove a bundle: one process has it at a time, as long as it keeps the result and lives. On
// file systems without locks every process has it.
Fd claim(const fs::path& directory) {
  if (fs::is_symlink(fs::symlink_status(directory)))
    throw Error(str(directory.string(), " is a symbolic link"), ExitCode::bad_input, "name the directory itself");
  const fs::path file = directory / record_name;
  Fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && (errno == ENOENT || errno == ENOTDIR))
    throw Error(str("there are no keys in ", directory.string()), ExitCode::not_found);
  if (!fd) throw Error::from_errno(str("can't open ", file.string()), errno);
  const bool taken = ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  struct stat claimed {};
  struct stat there {};
  const bool replaced = ::fstat(fd.get(), &claimed) != 0 || ::lstat(file.c_str(), &there) != 0 ||
                        claimed.st_ino != there.st_ino || claimed.st_dev != there.st_dev;
  if (taken || replaced)
    throw Error(str("another command is replacing or removing the keys in ", directory.string()), ExitCode::conflict);
  return fd;
}

void recover(const fs::path& directory) {
  if (is_there(directory) || !is_there(old_place(directory))) return;
  const Fd claimed = claim(old_place(directory));
  rename_or_throw(old_place(directory), directory);
}

// Puts `fresh` in place of a bundle that is claimed; the old one is then in `fresh`, or gone.
void replace(const fs::path& fresh, const fs::path& directory) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS)
    throw Error::from_errno(str("can't replace ", directory.string()), errno, ExitCode::missing_on_host);
  remove_tree(old_place(directory));
  rename_or_throw(directory, old_place(directory));
  rename_or_throw(fresh, directory);
  remove_tree(old_place(directory));
}

PrivateKey copy_of(const PrivateKey& key) { return PrivateKey::parse(key.openssh(), "a host key"); }

}  // namespace

TrustBundle make_trust_bundle(std::string job, int attempt, const std::vector<std::string>& nodes, HostKeys host_keys) {
  TrustBundle bundle = {std::move(job), attempt, host_keys, PrivateKey::generate(), {}};
  std::set<std::string> names;
  for (const auto& name : nodes) {
    check_node(name);
    if (!names.insert(lower(name)).second) refuse("node", name, "is given twice");
    const bool copy = host_keys == HostKeys::per_job && !bundle.nodes.empty();
    bundle.nodes.push_back({name, copy ? copy_of(bundle.nodes.front().host_key) : PrivateKey::generate()});
  }
  return bundle;
}

std::string render_authorized_keys(const PublicKey& client, const std::string& comment, const std::string& command) {
  if (has_control_characters(command) || has_control_characters(comment))
    refuse("command", command, "authorized_keys takes no control characters");
  std::string escaped;
  for (const char c : command) escaped += c == '"' ? "\\\"" : std::string(1, c);
  return str("restrict,command=\"", escaped, "\" ", client.line(comment), "\n");
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
  for (const auto& node : nodes) check_address(node);
  std::string text;
  for (const auto& node : nodes)
    text += str("Host ", node.name, "\n  HostName ", node.address.empty() ? node.name : node.address,
                "\n  HostKeyAlias ", node.name, "\n  Port ", node.port, "\n");
  text += "Host *\n";
  if (!options.user.empty()) text += str("  User ", options.user, "\n");
  text += str("  IdentityFile ", path_word(options.identity_file), "\n  UserKnownHostsFile ",
              path_word(options.known_hosts_file), "\n  ConnectTimeout ", options.deadline_seconds, "\n");
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
  return str("Port ", options.port, "\nHostKey ", path_word(options.host_key_file), "\nAuthorizedKeysFile ",
             path_word(options.authorized_keys_file), "\nPidFile ", options.pid_file, "\n") +
         "AuthenticationMethods publickey\n"
         "PubkeyAuthentication yes\n"
         "PasswordAuthentication no\n"
         "KbdInteractiveAuthentication no\n"
         "UsePAM no\n"
         "StrictModes yes\n"
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
  const fs::path& directory = layout.directory;
  check_record({bundle.job, bundle.attempt, bundle.host_keys, layout});
  if (!std::ranges::equal(bundle.nodes, layout.addresses, {}, &TrustBundle::Node::name, &NodeAddress::name))
    throw Error("the bundle has other nodes than the layout has addresses");
  create_directories(directory.parent_path(), 0700);
  recover(directory);
  const Error conflict(str(directory.string(), " is there already"), ExitCode::conflict,
                       "`viaduct keys rotate` makes new keys there, `viaduct keys remove` removes it");
  if (is_there(directory)) throw conflict;
  const Aside aside(directory);
  build(bundle, layout, aside);
  if (::rename(aside.path().c_str(), directory.c_str()) == 0) return;  // replaces nothing but an empty directory
  if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) throw conflict;
  throw Error::from_errno(str("can't create ", directory.string()), errno, ExitCode::missing_on_host);
}

BundleRecord read_bundle_record(const fs::path& directory) {
  recover(directory);
  return read_record(directory);
}

BundleRecord rotate_trust_bundle(const fs::path& directory) {
  recover(directory);
  const Fd claimed = claim(directory);
  check_contents(directory);
  BundleRecord record = read_record(directory);
  if (record.attempt == std::numeric_limits<int>::max()) refuse("attempt", str(record.attempt), "there is no next one");
  ++record.attempt;
  std::vector<std::string> names;
  for (const auto& node : record.layout.addresses) names.push_back(node.name);
  const Aside aside(directory);
  build(make_trust_bundle(record.job, record.attempt, names, record.host_keys), record.layout, aside);
  replace(aside.path(), directory);
  remove_tree(aside.path());
  return record;
}

void remove_trust_bundle(const fs::path& directory) {
  recover(directory);
  const Fd claimed = claim(directory);
  check_contents(directory);
  remove_tree(old_place(directory));  // or it would be put back
  const Aside aside(directory);
  rename_or_throw(directory, aside.path());
  remove_tree(aside.path());
}

}  // namespace viaduct::sshkeys
