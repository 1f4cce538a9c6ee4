#include "sshkeys/key.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

constexpr const char* key_type = "ssh-ed25519";
constexpr std::size_t longest_file = 16 * 1024;  // bytes; an Ed25519 key takes about 400

// PROTOCOL.key of OpenSSH.
constexpr std::string_view private_begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view private_end = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view private_magic("openssh-key-v1\0", 15);
constexpr std::size_t half_size = 32;  // bytes of either half of an Ed25519 key

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

// The bytes between the two lines that mark a private key.
Secret decode_private(std::string_view text, const std::string& where) {
  if (!text.starts_with(private_begin)) {
    const bool other_form = contains(text, "PRIVATE KEY-----");
    fail(where, other_form ? "a private key, but not in OpenSSH's form" : "not a private key",
         str("it should begin with ", private_begin));
  }
  text.remove_prefix(private_begin.size());
  std::string digits;
  digits.reserve(text.size());  // or copies would be left behind
  for (const char c : text.substr(0, text.find(private_end)))
    if (c != '\n' && c != '\r') digits += c;
  const Secret base64(std::move(digits));
  std::string bytes(base64.view().size(), '\0');
  const int size =
      ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(base64.c_str()), static_cast<int>(base64.view().size()));
  bytes.resize(static_cast<std::size_t>(std::max(size, 0)));
  Secret decoded(std::move(bytes));
  if (!contains(text, private_end) || size < 0) fail(where, "a damaged private key");
  return decoded;
}

// Takes apart the fields of a private key.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  [[noreturn]] void fail_damaged() const { fail(where_, "a damaged private key"); }
  void require(bool right) const {
    if (!right) fail_damaged();
  }
  std::string_view bytes(std::size_t size) {
    require(size <= rest_.size());
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view string() {
    std::size_t size = 0;
    for (const char c : bytes(4)) size = size << 8U | static_cast<unsigned char>(c);
    return bytes(size);
  }
  Fields fields() { return {string(), where_}; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  const std::string& where_;
};

// The public half that follows from a private one.
std::string derive(std::string_view private_half) {
  std::string half(half_size, '\0');
  std::size_t size = half.size();
  EVP_PKEY* const pair = ::EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(private_half.data()), private_half.size());
  const bool derived =
      pair != nullptr && ::EVP_PKEY_get_raw_public_key(pair, reinterpret_cast<unsigned char*>(half.data()), &size) == 1;
  ::EVP_PKEY_free(pair);
  return derived ? half : "";
}

// Checks every field, which libssh does not, so that what passes is a whole Ed25519 key without a passphrase.
void check_private(const Secret& decoded, const std::string& where) {
  Fields key(decoded.view(), where);
  key.require(key.bytes(private_magic.size()) == private_magic);
  const bool encrypted = key.string() != "none";
  if (encrypted)
    fail(where, "a private key with a passphrase, which can't be asked for here",
         "`ssh-keygen -p -N '' -f FILE` takes the passphrase off");
  key.require(key.string() == "none" && key.string().empty());   // how a passphrase makes a key
  key.require(key.bytes(4) == std::string_view("\0\0\0\1", 4));  // one key
  Fields open = key.fields();
  const std::string type(open.string());
  if (type != key_type)
    fail(where, str("a key of type ", printable(abbreviated(type, 64)), ", where only Ed25519 keys are taken"),
         "`viaduct keys create` makes one");
  const std::string_view half = open.string();
  key.require(half.size() == half_size && open.rest().empty());
  Fields hidden = key.fields();
  key.require(key.rest().size() <= 2);  // base64 is padded
  const std::string_view check = hidden.bytes(4);
  key.require(check == hidden.bytes(4));  // they differ where a passphrase was wrong
  key.require(hidden.string() == key_type && hidden.string() == half);
  const std::string_view both = hidden.string();
  key.require(both.size() == 2 * half_size && both.substr(half_size) == half);
  key.require(derive(both.substr(0, half_size)) == half);
  hidden.string();  // the comment
  for (char expected = 1; const char c : hidden.rest()) key.require(c == expected++);
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
  check_private(decode_private(text.view(), where), where);
  ssh_key key = nullptr;
  if (::ssh_pki_import_privkey_base64(text.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
    fail(where, "a damaged private key");
  return PrivateKey(key);
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
