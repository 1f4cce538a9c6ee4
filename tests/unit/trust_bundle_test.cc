#include "sshkeys/trust_bundle.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/text.h"
#include "sshkeys/known_hosts.h"
#include "sshkeys/ssh_config.h"
#include "unit/scratch.h"

namespace viaduct::sshkeys {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

// The parent directory has to be one that OpenSSH's configuration can name.
BundleLayout layout_of(const fs::path& directory) {
  BundleLayout layout;
  layout.directory = directory;
  layout.addresses = {{"node1", "10.0.0.1", 2222}, {"node2", "", 22}};
  layout.user = "lab";
  layout.agent = "/usr/bin/viaduct-agent";
  return layout;
}

TrustBundle bundle_of(int attempt = 1, HostKeys host_keys = HostKeys::per_node) {
  return make_trust_bundle("train", attempt, {"node1", "node2"}, host_keys);
}

ExitCode code_of(const std::function<void()>& action, const std::string& reason) {
  try {
    action();
  } catch (const Error& e) {
    CHECK_THAT(e.what(), Contains(reason));
    return e.code();
  }
  return ExitCode::ok;
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

// The names of everything below, sorted.
std::vector<std::string> tree(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (!entry.is_directory()) names.push_back(entry.path().lexically_relative(directory));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("trust bundle: every node has a key of its own, or all the same one") {
  const TrustBundle own = bundle_of(1, HostKeys::per_node);
  REQUIRE(own.nodes.size() == 2);
  CHECK_FALSE(own.nodes[0].host_key.public_key() == own.nodes[1].host_key.public_key());
  CHECK_FALSE(own.client.public_key() == own.nodes[0].host_key.public_key());
  const TrustBundle shared = bundle_of(1, HostKeys::per_job);
  CHECK(shared.nodes[0].host_key.public_key() == shared.nodes[1].host_key.public_key());
  CHECK_FALSE(shared.client.public_key() == shared.nodes[0].host_key.public_key());
}

TEST_CASE("trust bundle: a node's name is a host name, given once") {
  for (const std::string name :
       {"", ".", "..", "../x", "a/b", "-n", ".n", "n*", "n,m", "n m", "n\nm", "!n", "[n]:22", "n:22"}) {
    INFO(name);
    CHECK(code_of([&] { make_trust_bundle("train", 1, {name}); }, "not a host name") == ExitCode::bad_input);
  }
  CHECK(code_of([] { make_trust_bundle("train", 1, {std::string(254, 'n')}); }, "") == ExitCode::bad_input);
  CHECK(code_of([] { make_trust_bundle("train", 1, {"n1", "N1"}); }, "is given twice") == ExitCode::bad_input);
  CHECK(make_trust_bundle("train", 1, {"n1.rack-2_b", "10.0.0.1"}).nodes.size() == 2);
}

TEST_CASE("trust bundle: authorized_keys restricts the key to one command, whatever it is called") {
  const PublicKey key = PrivateKey::generate().public_key();
  CHECK(render_authorized_keys(key, "c", "/a gate") == "restrict,command=\"/a gate\" " + key.line("c") + "\n");
  const std::string odd = render_authorized_keys(key, "c", R"('/a "b"' gate)");
  CHECK(odd == R"(restrict,command="'/a \"b\"' gate" )" + key.line("c") + "\n");
  CHECK(parse_public_key(odd, "f") == key);
  CHECK_THROWS_AS(render_authorized_keys(key, "c", "a\nb"), Error);
  CHECK_THROWS_AS(render_authorized_keys(key, "c\n", "a"), Error);
}

TEST_CASE("trust bundle: known_hosts pins each key by name") {
  const TrustBundle bundle = bundle_of();
  const std::string text = render_known_hosts(bundle);
  for (const auto& node : bundle.nodes)
    CHECK(check_known_host(text, node.name, "ssh-ed25519", node.host_key.public_key().base64) == KeyVerdict::match);
  CHECK(check_known_host(text, "node1", "ssh-ed25519", bundle.nodes[1].host_key.public_key().base64) ==
        KeyVerdict::changed);
  CHECK(check_known_host(text, "node3", "ssh-ed25519", bundle.nodes[1].host_key.public_key().base64) ==
        KeyVerdict::unknown);
}

TEST_CASE("trust bundle: the agent's own ssh reads the ssh_config") {
  const BundleLayout layout = layout_of("/k");
  const std::string text = render_ssh_config(layout.addresses, {"lab", "/k y/id", "/k y/known_hosts", 45});
  CHECK_THAT(text,
             Contains("StrictHostKeyChecking yes") && Contains("BatchMode yes") && Contains("IdentitiesOnly yes"));
  const SshTarget target = resolve_target(parse_ssh_config(text, "ssh_config"), "node1", "");
  CHECK(target.host_name == "10.0.0.1");
  CHECK(target.alias == "node1");
  CHECK(target.port == 2222);
  CHECK(target.user == "lab");
  CHECK(target.identities == std::vector<std::string>{"/k y/id"});
  CHECK(target.known_hosts.front() == "/k y/known_hosts");
  CHECK(target.deadline_seconds == 45);
  CHECK(resolve_target(parse_ssh_config(text, "ssh_config"), "node2", "").host_name == "node2");
}

TEST_CASE("trust bundle: paths that OpenSSH would read in its own way are refused") {
  for (const std::string path : {"relative", "/a\"b", "/a'b", "/a\\b", "/a%db", "/a${HOME}", "/a\nb"}) {
    INFO(path);
    SshdConfigOptions options;
    options.host_key_file = path;
    options.authorized_keys_file = "/k";
    CHECK_THROWS_AS(render_sshd_config(options), Error);
  }
}

TEST_CASE("trust bundle: the directory has what its description says, private from birth under any umask") {
  const test::Scratch scratch;
  const mode_t before = ::umask(0);
  write_trust_bundle(bundle_of(), layout_of(scratch / "deep/keys"));
  ::umask(before);
  const fs::path keys = scratch / "deep/keys";
  CHECK(tree(keys) == std::vector<std::string>{"bundle.json", "launcher/id_ed25519", "launcher/id_ed25519.pub",
                                               "launcher/known_hosts", "launcher/ssh_config",
                                               "nodes/node1/authorized_keys", "nodes/node1/ssh_host_ed25519_key",
                                               "nodes/node1/ssh_host_ed25519_key.pub", "nodes/node1/sshd_config",
                                               "nodes/node2/authorized_keys", "nodes/node2/ssh_host_ed25519_key",
                                               "nodes/node2/ssh_host_ed25519_key.pub", "nodes/node2/sshd_config"});
  CHECK(mode_of(scratch / "deep") == 0700);
  CHECK(mode_of(keys) == 0700);
  for (const auto& entry : fs::recursive_directory_iterator(keys))
    CHECK(mode_of(entry.path()) == (entry.is_directory() ? 0700 : 0600));
  CHECK(list_directory(scratch / "deep") == std::vector<std::string>{"keys"});
  CHECK_THAT(read_file(keys / "nodes/node1/sshd_config"),
             Contains("HostKey " + (keys / "nodes/node1/ssh_host_ed25519_key").string() + "\n"));
  CHECK_THAT(read_file(keys / "bundle.json"), !Contains("PRIVATE"));
  for (const auto& file : tree(keys / "nodes")) CHECK(file.find("id_ed25519") == std::string::npos);
}

TEST_CASE("trust bundle: the record says what was written") {
  const test::Scratch scratch;
  write_trust_bundle(bundle_of(3, HostKeys::per_job), layout_of(scratch / "keys"));
  const BundleRecord record = read_bundle_record(scratch / "keys");
  CHECK(record.job == "train");
  CHECK(record.attempt == 3);
  CHECK(record.host_keys == HostKeys::per_job);
  CHECK(record.layout.user == "lab");
  CHECK(record.layout.agent == "/usr/bin/viaduct-agent");
  REQUIRE(record.layout.addresses.size() == 2);
  CHECK(record.layout.addresses[0].address == "10.0.0.1");
  CHECK(record.layout.addresses[0].port == 2222);
  CHECK(record.layout.addresses[1].name == "node2");
}

TEST_CASE("trust bundle: what does not fit into the files is refused before anything is written") {
  const test::Scratch scratch;
  const auto refused = [&](const std::function<void(TrustBundle&, BundleLayout&)>& spoil) {
    TrustBundle bundle = bundle_of();
    BundleLayout layout = layout_of(scratch / "keys");
    spoil(bundle, layout);
    CHECK(code_of([&] { write_trust_bundle(bundle, layout); }, "") == ExitCode::bad_input);
    CHECK(list_directory(scratch.path()).empty());
  };
  for (const std::string name : {"", "A", "a_b", "-a", "a-", "..", "a/b", "a\nb"})
    refused([&](auto& bundle, auto&) { bundle.job = name; });
  refused([](auto& bundle, auto&) { bundle.job = std::string(64, 'a'); });
  refused([](auto& bundle, auto&) { bundle.attempt = 0; });
  for (const std::string address : {"-x", "a b", "a\nb", "a%eth0", "a,b"})
    refused([&](auto&, auto& layout) { layout.addresses[0].address = address; });
  for (const int port : {0, -1, 65536}) refused([&](auto&, auto& layout) { layout.addresses[0].port = port; });
  for (const std::string user : {"-l", "a b", "a\n", "%u"}) refused([&](auto&, auto& layout) { layout.user = user; });
  for (const std::string agent : {"", "bin/agent", "/a\nb"})
    refused([&](auto&, auto& layout) { layout.agent = agent; });
  refused([](auto&, auto& layout) { layout.directory += "%"; });
}

TEST_CASE("trust bundle: a directory, a file or a link that is there stays as it is") {
  const test::Scratch scratch;
  write_trust_bundle(bundle_of(), layout_of(scratch / "keys"));
  create_file_exclusively(scratch / "file", "mine");
  fs::create_symlink("keys", scratch / "link");
  fs::create_directory(scratch / "empty");
  const std::string before = read_file(scratch / "keys/launcher/id_ed25519.pub");
  const auto names = list_directory(scratch.path());
  for (const std::string name : {"keys", "file", "link", "empty"})
    CHECK(code_of([&] { write_trust_bundle(bundle_of(), layout_of(scratch / name)); }, "is there already") ==
          ExitCode::conflict);
  CHECK(read_file(scratch / "keys/launcher/id_ed25519.pub") == before);
  CHECK(list_directory(scratch.path()) == names);
}

TEST_CASE("trust bundle: rotating makes every key anew, for the next attempt") {
  const test::Scratch scratch;
  const fs::path keys = scratch / "keys";
  write_trust_bundle(bundle_of(4), layout_of(keys));
  const auto files = tree(keys);
  const auto read_keys = [&] {
    std::vector<std::string> fingerprints;
    for (const auto& file : files)
      if (file.ends_with("ed25519") || file.ends_with("_key"))
        fingerprints.push_back(PrivateKey::read(keys / file).public_key().fingerprint());
    return fingerprints;
  };
  const auto before = read_keys();
  CHECK(rotate_trust_bundle(keys).attempt == 5);
  CHECK(read_bundle_record(keys).attempt == 5);
  CHECK(read_bundle_record(keys).layout.addresses[0].address == "10.0.0.1");
  CHECK(tree(keys) == files);
  const auto after = read_keys();
  REQUIRE(after.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(before[i] != after[i]);
  CHECK(list_directory(scratch.path()) == std::vector<std::string>{"keys"});
}

TEST_CASE("trust bundle: one that is being replaced is left alone by others") {
  const test::Scratch scratch;
  const fs::path keys = scratch / "keys";
  write_trust_bundle(bundle_of(), layout_of(keys));
  const Fd other(::open((keys / "bundle.json").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  CHECK(code_of([&] { rotate_trust_bundle(keys); }, "another command") == ExitCode::conflict);
  CHECK(code_of([&] { remove_trust_bundle(keys); }, "another command") == ExitCode::conflict);
  CHECK(read_bundle_record(keys).attempt == 1);
}

TEST_CASE("trust bundle: the old one is put back where a process was killed between two renames") {
  const test::Scratch scratch;
  const fs::path keys = scratch / "keys";
  write_trust_bundle(bundle_of(), layout_of(keys));
  fs::rename(keys, scratch / ".keys.old");
  CHECK(read_bundle_record(keys).attempt == 1);
  fs::rename(keys, scratch / ".keys.old");
  CHECK(code_of([&] { write_trust_bundle(bundle_of(), layout_of(keys)); }, "there already") == ExitCode::conflict);
  fs::rename(keys, scratch / ".keys.old");
  CHECK(rotate_trust_bundle(keys).attempt == 2);
  fs::rename(keys, scratch / ".keys.old");
  remove_trust_bundle(keys);
  CHECK(list_directory(scratch.path()).empty());
}

TEST_CASE("trust bundle: what killed processes left is removed when it is old") {
  const test::Scratch scratch;
  for (const char* name : {".viaduct-keys-aaaaaa", ".viaduct-keys-bbbbbb"}) fs::create_directory(scratch / name);
  fs::last_write_time(scratch / ".viaduct-keys-aaaaaa", fs::file_time_type::clock::now() - std::chrono::hours(2));
  write_trust_bundle(bundle_of(), layout_of(scratch / "keys"));
  CHECK(list_directory(scratch.path()) == std::vector<std::string>{".viaduct-keys-bbbbbb", "keys"});
}

TEST_CASE("trust bundle: removing takes all of it, and nothing that is not of it") {
  const test::Scratch scratch;
  const fs::path keys = scratch / "keys";
  write_trust_bundle(bundle_of(), layout_of(keys));
  fs::create_symlink("keys", scratch / "link");
  CHECK(code_of([&] { remove_trust_bundle(scratch / "link"); }, "symbolic link") == ExitCode::bad_input);
  create_file_exclusively(keys / "notes", "mine");
  CHECK(code_of([&] { remove_trust_bundle(keys); }, "notes is no part of") == ExitCode::conflict);
  CHECK(code_of([&] { rotate_trust_bundle(keys); }, "notes is no part of") == ExitCode::conflict);
  fs::remove(keys / "notes");
  remove_trust_bundle(keys);
  CHECK(list_directory(scratch.path()) == std::vector<std::string>{"link"});
  fs::create_directory(scratch / "other");
  create_file_exclusively(scratch / "other/file", "mine");
  CHECK(code_of([&] { remove_trust_bundle(scratch / "other"); }, "no keys in") == ExitCode::not_found);
  CHECK(code_of([&] { remove_trust_bundle(keys); }, "no keys in") == ExitCode::not_found);
  CHECK(read_file(scratch / "other/file") == "mine");
}

TEST_CASE("trust bundle: a damaged record is told, and can still be removed") {
  const test::Scratch scratch;
  const fs::path keys = scratch / "keys";
  for (const std::string text :
       {"", "{", "[]", "{}", R"({"job":"a","attempt":0,"hostKeys":"per-node","agent":"/a","nodes":[]})",
        R"({"job":"a","attempt":1,"hostKeys":"per-node","agent":"/a","nodes":[{"name":"../x","port":22}]})",
        R"({"job":"../a","attempt":1,"hostKeys":"per-node","agent":"/a","nodes":[]})",
        R"({"job":"a","attempt":1,"hostKeys":"some","agent":"/a","nodes":[]})"}) {
    INFO(text);
    write_trust_bundle(bundle_of(), layout_of(keys));
    write_file_atomically(keys / "bundle.json", text, 0600);
    CHECK_THROWS_AS(read_bundle_record(keys), Error);
    CHECK_THROWS_AS(rotate_trust_bundle(keys), Error);
    CHECK(list_directory(scratch.path()) == std::vector<std::string>{"keys"});
    remove_trust_bundle(keys);
  }
}

}  // namespace viaduct::sshkeys
