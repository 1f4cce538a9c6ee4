#include "sshkeys/key.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

constexpr const char* key_type = "ssh-ed25519";
constexpr std::size_t longest_file = 16 * 1024;  // bytes; an Ed25519 key takes about 400

// The beginning of every OpenSSH private key: "openssh-key-v1", a zero, and the cipher's name with its length in four
// bytes (PROTOCOL.key of OpenSSH). The cipher "none" means: no passphrase.
constexpr std::string_view private_marker = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view private_magic = "b3BlbnNzaC1rZXktdjEAAAAA";
constexpr std::string_view private_unencrypted = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

struct FreeString {
  void operator()(char* text) const { ::ssh_string_free_char(text); }
};
using CString = std::unique_ptr<char, FreeString>;

struct FreeKey {
  void operator()(ssh_key key) const { ::ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;

std::string export_base64(ssh_key key) {
  char* base64 = nullptr;
  if (::ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK) throw Error("can't write a public key");
  return CString(base64).get();
}

// Nothing unless it is an Ed25519 key and nothing else.
Key parse_base64(const std::string& base64) {
  ssh_key key = nullptr;
  if (::ssh_pki_import_pubkey_base64(base64.c_str(), SSH_KEYTYPE_ED25519, &key) != SSH_OK) return nullptr;
  Key owner(key);
  return export_base64(key) == base64 ? std::move(owner) : nullptr;
}

bool is_key_type(std::string_view word) {
  return word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The first word of `rest`, and the blanks after it, are taken off; blanks between double quotes are part of it.
std::string take_word(std::string_view& rest) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < rest.size() && (quoted || !is_blank(rest[end])); ++end)
    if (rest[end] == '"' && (end == 0 || rest[end - 1] != '\\')) quoted = !quoted;
  std::string word(rest.substr(0, end));
  rest.remove_prefix(end);
  rest = trim(rest);
  return word;
}

[[noreturn]] void fail(const std::string& where, const std::string& reason, const std::string& hint = "") {
  throw Error(str(where, ": ", reason), ExitCode::bad_input, hint);
}

void check_private_form(std::string_view text, const std::string& where) {
  if (!text.starts_with(private_marker)) {
    const bool other_form = contains(text, "PRIVATE KEY-----");
    fail(where, other_form ? "a private key, but not in OpenSSH's form" : "not a private key",
         str("it should begin with ", private_marker));
  }
  const std::string_view body = trim(text.substr(private_marker.size()));
  if (body.starts_with(private_magic) && !body.starts_with(private_unencrypted))
    fail(where, "a private key with a passphrase, which can't be asked for here",
         "`ssh-keygen -p -N '' -f FILE` takes the passphrase off");
}

using Bytes = std::array<unsigned char, 51>;  // as many as a public key has in RFC 8709's form

// Decodes `text`, which has no more than Bytes hold; false when it is no base64 of `size` bytes.
bool decode(std::string_view text, Bytes& bytes, int size) {
  const auto* const characters = reinterpret_cast<const unsigned char*>(text.data());
  return ::EVP_DecodeBlock(bytes.data(), characters, static_cast<int>(text.size())) == size;
}

// Where the private half stands in what libssh writes, an Ed25519 key without passphrase and comment.
constexpr std::size_t window_at = 212;   // base64 digits before it
constexpr std::size_t window_size = 48;  // base64 digits, 36 bytes: two others, the 32 of the private half, two others

// Whether the public half follows from the private one; libssh does not look.
bool halves_match(const PrivateKey& key) {
  constexpr std::size_t half = 32;  // bytes
  const Secret text = key.openssh();
  std::string digits;
  digits.reserve(window_size);
  std::size_t at = 0;
  for (const char c : text.view().substr(private_marker.size()))
    if (c != '\n' && at++ >= window_at && digits.size() < window_size) digits += c;
  const Secret window(std::move(digits));
  Bytes secret{};
  Bytes derived{};
  Bytes stated{};
  std::size_t size = half;
  bool match = decode(window.view(), secret, 36);
  EVP_PKEY* const pair = ::EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data() + 2, half);
  match = match && ::EVP_PKEY_get_raw_public_key(pair, derived.data(), &size) == 1;
  match = match && decode(key.public_key().base64, stated, static_cast<int>(stated.size()));
  ::EVP_PKEY_free(pair);
  ::OPENSSL_cleanse(secret.data(), secret.size());
  return match && std::equal(stated.end() - half, stated.end(), derived.begin());
}

Secret read_secret(const std::filesystem::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd)
    throw Error::from_errno(str("can't read ", file.string()), errno,
                            errno == ENOENT ? ExitCode::not_found : ExitCode::failure);
  std::string text(longest_file, '\0');
  std::size_t size = 0;
  ssize_t got = 1;
  while (size < text.size() && got != 0) {
    got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno != EINTR) break;
    size += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  const int error = got < 0 ? errno : 0;
  text.resize(size);
  Secret secret(std::move(text));
  if (error != 0) throw Error::from_errno(str("can't read ", file.string()), error);
  if (got != 0) fail(file.string(), "not a private key: too long for one");
  return secret;
}

}  // namespace

void PrivateKey::Free::operator()(ssh_key_struct* key) const { ::ssh_key_free(key); }

std::string PublicKey::line(std::string_view comment) const {
  return str(type, " ", base64, comment.empty() ? "" : " ", comment);
}

std::string PublicKey::fingerprint() const {
  const Key key = parse_base64(base64);
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (!key || ::ssh_get_publickey_hash(key.get(), SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0)
    throw Error("not an Ed25519 public key", ExitCode::bad_input);
  const CString text(::ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size));
  ::ssh_clean_pubkey_hash(&hash);
  if (!text) throw Error("can't write a fingerprint");
  return text.get();
}

PublicKey parse_public_key(std::string_view line, const std::string& where) {
  std::string_view rest = trim(line);
  std::string type = take_word(rest);
  if (!is_key_type(type)) type = take_word(rest);  // those were options
  const std::string base64 = take_word(rest);
  if (is_key_type(type) && type != key_type)
    fail(where, str("a key of type ", printable(abbreviated(type, 64)), ", where only Ed25519 keys are taken"),
         "`ssh-keygen -t ed25519` makes one");
  if (type != key_type)
    fail(where, "no Ed25519 public key in it", "a line of it should read: ssh-ed25519 AAAA… comment");
  if (!parse_base64(base64)) fail(where, "a damaged Ed25519 public key");
  return {type, base64};
}

PrivateKey PrivateKey::generate() {
  ssh_key key = nullptr;
  if (::ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK) throw Error("can't make an Ed25519 key");
  return PrivateKey(key);
}

PrivateKey PrivateKey::parse(const Secret& text, const std::string& where) {
  check_private_form(text.view(), where);
  ssh_key key = nullptr;
  if (::ssh_pki_import_privkey_base64(text.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
    fail(where, "a damaged private key");
  PrivateKey parsed(key);
  if (::ssh_key_type(key) != SSH_KEYTYPE_ED25519)
    fail(where, str("a key of type ", ::ssh_key_type_to_char(::ssh_key_type(key)), ", where only Ed25519 is taken"),
         "`viaduct keys create` makes one");
  if (!halves_match(parsed)) fail(where, "a damaged private key");
  return parsed;
}

PrivateKey PrivateKey::read(const std::filesystem::path& file) { return parse(read_secret(file), file.string()); }

Secret PrivateKey::openssh() const {
  char* text = nullptr;
  if (::ssh_pki_export_privkey_base64(handle(), nullptr, nullptr, nullptr, &text) != SSH_OK)
    throw Error("can't write a private key in OpenSSH's form");
  const CString owner(text);
  Secret secret{std::string(text)};
  ::explicit_bzero(text, secret.view().size());
  return secret;
}

PublicKey PrivateKey::public_key() const { return {key_type, export_base64(handle())}; }

}  // namespace viaduct::sshkeys
