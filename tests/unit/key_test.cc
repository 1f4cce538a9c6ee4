#include "sshkeys/key.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/files.h"
#include "unit/scratch.h"

namespace viaduct::sshkeys {
namespace {

using Catch::Matchers::Contains;

// Made by ssh-keygen of OpenSSH 9.2 for these tests.
const std::string plain = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDO7D69kq2lTFMbO+NTv/efXMGkdNmd8xSTQvppOorWyQAAAIgqZkwTKmZM
EwAAAAtzc2gtZWQyNTUxOQAAACDO7D69kq2lTFMbO+NTv/efXMGkdNmd8xSTQvppOorWyQ
AAAEBpeuBxx7u1mrhsxGz2LIT0rTqHAx0CAYROraY8Z1DdJ87sPr2SraVMUxs741O/959c
waR02Z3zFJNC+mk6itbJAAAABXBsYWlu
-----END OPENSSH PRIVATE KEY-----
)";
const std::string plain_public = "AAAAC3NzaC1lZDI1NTE5AAAAIM7sPr2SraVMUxs741O/959cwaR02Z3zFJNC+mk6itbJ";
const std::string locked = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBLoK3l8D
ZE34uyNYIhwlhNAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIKbqFtFPbMP4D50c
zl69Si39tci/H01VGRabE7jt1KVfAAAAkGI5hK0vk86kQkXyPVRzoiuka5ZpbxkN0WaBDO
UVJwYmZSbK9hZyfn6Tt/Oe66baPkYvQuNefnuSg8lQqzd/Lb7GuWVc/O37VMTXWYZzq1XR
fFAl6I87U4Dyx0WjYdm+61KXXiWRZLJDvBzg2vNOCP4k04XcLMQL4dzCswRb0/GnVk7jd5
XgyH9nuyq1OYF0QQ==
-----END OPENSSH PRIVATE KEY-----
)";
const std::string rsa = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAlwAAAAdzc2gtcn
NhAAAAAwEAAQAAAIEAnDKRAElPIMt68IMpWhJGpimbyNofy8dtA/BgxONT3JJ8kOsfERRu
YygVOPUPNDy1N5arbkB/kFbzDY5x/n/xL8+IIexrekzkk8jsmSm6QAiKVbhjrid+ENSj3S
ea9+5ub6BYyelQX6skPiKZGxp7HTB7cyowyRiBZuzxVSxwe/cAAAH4jzuN8Y87jfEAAAAH
c3NoLXJzYQAAAIEAnDKRAElPIMt68IMpWhJGpimbyNofy8dtA/BgxONT3JJ8kOsfERRuYy
gVOPUPNDy1N5arbkB/kFbzDY5x/n/xL8+IIexrekzkk8jsmSm6QAiKVbhjrid+ENSj3Sea
9+5ub6BYyelQX6skPiKZGxp7HTB7cyowyRiBZuzxVSxwe/cAAAADAQABAAAAgFHyWY6L53
6uInayaWx+8B/W7otGnK3dl70cTLifB21OURn6sNbWID/XVKMINozSWMSsQI5cOlCwvV1c
YUQDPbZkz8rSgBa7q7Nyvlua+6/zsOmVNKcX6uiEtUzFjC8EMYwvbT+NwpcRqJtMOo7P+7
XbZHoqlt0N2dN3uApVZItRAAAAQHCIQhEw6A/1IawTsVCvS11kC1gZ7qcxxphbqprvP2ME
aTJAqOb/H35RTHsAR5J3n329XVcK7lfTi27iMMOlrRAAAABBAMvNd6VG/9hdUDDD9UclZ6
d+e7LpCwCGb1HuDcDEKUAJvWJ3sYLe4u71aVVY0RwjSJAMaDGoqN/uboennXP0ZZ8AAABB
AMQz0lrla5pmjg3MutZPGnSXg1bsjy3VA2ozabB35vz0WQHSANt4ouBx8//y6ihvr/EWvA
4YA3nT5J3CM3Rw2qkAAAADcnNh
-----END OPENSSH PRIVATE KEY-----
)";

PrivateKey parse(const std::string& text) { return PrivateKey::parse(Secret(text), "key"); }

void check_refused(const std::string& text, const std::string& reason) {
  INFO(text);
  CHECK_THROWS_WITH(parse(text), Contains("key: ") && Contains(reason));
  try {
    parse(text);
  } catch (const Error& e) {
    CHECK(e.code() == ExitCode::bad_input);
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

TEST_CASE("key: a new key is one of its own, and reads back from OpenSSH's form") {
  const PrivateKey key = PrivateKey::generate();
  const Secret text = key.openssh();
  CHECK(text.view().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
  CHECK(text.view().ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
  CHECK(PrivateKey::parse(text, "key").public_key() == key.public_key());
  CHECK_FALSE(PrivateKey::generate().public_key() == key.public_key());
}

TEST_CASE("key: what ssh-keygen wrote has the public key and the fingerprint that ssh-keygen tells") {
  const PublicKey key = parse(plain).public_key();
  CHECK(key.type == "ssh-ed25519");
  CHECK(key.base64 == plain_public);
  CHECK(key.fingerprint() == "SHA256:QFt2CtX+wpEhxzm2bHlQ/O40s5oIiuv+DynFKTbkrJU");
  CHECK(key.line("node 1") == "ssh-ed25519 " + plain_public + " node 1");
  CHECK(key.line("") == "ssh-ed25519 " + plain_public);
}

TEST_CASE("key: lines of a private key may end in CR LF") {
  CHECK(parse(replaced(plain, "\n", "\r\n")).public_key().base64 == plain_public);
}

TEST_CASE("key: a private key with a passphrase is refused with a way out") {
  check_refused(locked, "a private key with a passphrase");
  check_refused(replaced(locked, "\n", "\r\n"), "a private key with a passphrase");
  try {
    parse(locked);
  } catch (const Error& e) {
    CHECK(e.hint() == "`ssh-keygen -p -N '' -f FILE` takes the passphrase off");
  }
}

TEST_CASE("key: private keys of other types and forms are refused by name") {
  check_refused(rsa, "a key of type ssh-rsa");
  check_refused(replaced(plain, "OPENSSH ", "RSA "), "not in OpenSSH's form");
  check_refused(replaced(plain, "OPENSSH ", ""), "not in OpenSSH's form");
  check_refused(plain_public, "not a private key");
  check_refused("", "not a private key");
}

TEST_CASE("key: a private key cut off anywhere is refused") {
  for (std::size_t size = 0; size + 2 < plain.size(); ++size) {
    INFO(size);
    CHECK_THROWS_AS(parse(plain.substr(0, size)), Error);
  }
}

TEST_CASE("key: a private key with any byte changed is refused, or still the same key") {
  for (std::size_t at = 0; at < plain.size(); ++at)
    for (const char c : {'A', '\0', '\xff', '='}) {
      std::string text = plain;
      text[at] = c;
      try {
        const PrivateKey key = parse(text);
        CHECK(key.public_key().base64 == plain_public);
      } catch (const Error& e) {
        CHECK(e.code() == ExitCode::bad_input);
      }
    }
}

TEST_CASE("key: public keys are found after options, and with any comment") {
  const std::string key = "ssh-ed25519 " + plain_public;
  for (const auto& line :
       {key, key + " a comment\r\n", "  " + key, "ssh-ed25519\t" + plain_public, "restrict " + key,
        "restrict,command=\"a b\" " + key, "command=\"say \\\"ssh-ed25519 AAAA\\\" x\" " + key + " c"}) {
    INFO(line);
    CHECK(parse_public_key(line, "f").base64 == plain_public);
  }
}

TEST_CASE("key: public keys that are none, of another type or damaged are refused") {
  const auto refused = [](const std::string& line, const std::string& reason) {
    INFO(line);
    CHECK_THROWS_WITH(parse_public_key(line, "f"), Contains("f: " + reason));
  };
  refused("", "no Ed25519 public key");
  refused("ssh-ed25519", "a damaged Ed25519 public key");
  refused("ssh-ed25519 ", "a damaged Ed25519 public key");
  refused("restrict", "no Ed25519 public key");
  refused("command=\"ssh-ed25519 " + plain_public + "\"", "no Ed25519 public key");
  refused("command=\"ssh-ed25519 " + plain_public, "no Ed25519 public key");
  refused("ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB x", "a key of type ssh-rsa");
  refused("restrict ecdsa-sha2-nistp256 AAAA", "a key of type ecdsa-sha2-nistp256");
  refused("ssh-ed25519 " + plain_public.substr(0, 64), "a damaged Ed25519 public key");
  refused("ssh-ed25519 " + plain_public + "AAAA", "a damaged Ed25519 public key");
  refused("ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB", "a damaged Ed25519 public key");
  refused("ssh-ed25519 " + std::string(100'000, '!'), "a damaged Ed25519 public key");
  for (std::size_t size = 0; size < plain_public.size(); ++size)
    refused("ssh-ed25519 " + plain_public.substr(0, size), "a damaged Ed25519 public key");
}

TEST_CASE("key: what is no key has no fingerprint") {
  CHECK_THROWS_AS(PublicKey({"", ""}).fingerprint(), Error);
  CHECK_THROWS_AS(PublicKey({"ssh-ed25519", "AAAA"}).fingerprint(), Error);
}

TEST_CASE("key: a file is read whole; one that is missing, too long or no file is refused") {
  const test::Scratch scratch;
  const auto code_of = [](const std::filesystem::path& file) {
    try {
      PrivateKey::read(file);
    } catch (const Error& e) {
      CHECK_THAT(e.what(), Contains(file.string()));
      return e.code();
    }
    return ExitCode::ok;
  };
  create_file_exclusively(scratch / "key", plain, 0600);
  CHECK(PrivateKey::read(scratch / "key").public_key().base64 == plain_public);
  CHECK(code_of(scratch / "none") == ExitCode::not_found);
  CHECK(code_of(scratch.path()) == ExitCode::failure);
  create_file_exclusively(scratch / "long", plain + std::string(100'000, '\n'), 0600);
  CHECK(code_of(scratch / "long") == ExitCode::bad_input);
}

TEST_CASE("secret: a move leaves nothing behind, not even of a short text") {
  std::string text = "hunter2";
  const char* const bytes = text.data();
  Secret first(std::move(text));
  CHECK(bytes[0] == '\0');
  const char* const held = first.view().data();
  const Secret second(std::move(first));
  CHECK(held[0] == '\0');
  CHECK(second.view() == "hunter2");
  Secret third;
  CHECK(third.empty());
  third = Secret(std::string(100, 'x'));
  CHECK(third.view().size() == 100);
}

}  // namespace viaduct::sshkeys
