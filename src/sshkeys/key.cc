#include "sshkeys/key.h"

#include <libssh/libssh.h>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

struct FreeString {
  void operator()(char* text) const { ::ssh_string_free_char(text); }
};
using CString = std::unique_ptr<char, FreeString>;

ssh_key parse_base64(const PublicKey& key) {
  ssh_key parsed = nullptr;
  if (::ssh_pki_import_pubkey_base64(key.base64.c_str(), SSH_KEYTYPE_ED25519, &parsed) != SSH_OK) return nullptr;
  return parsed;
}

}  // namespace

void PrivateKey::Free::operator()(ssh_key_struct* key) const { ::ssh_key_free(key); }

std::string PublicKey::line(std::string_view comment) const { return str(type, " ", base64, " ", comment); }

std::string PublicKey::fingerprint() const {
  const ssh_key key = parse_base64(*this);
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  const bool hashed = key != nullptr && ::ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) == 0;
  ::ssh_key_free(key);
  if (!hashed) throw Error("not a public key", ExitCode::bad_input);
  const CString text(::ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size));
  ::ssh_clean_pubkey_hash(&hash);
  return text.get();
}

PublicKey parse_public_key(std::string_view line, const std::string& where) {
  const auto words = split(trim(line), ' ');
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "ssh-ed25519") continue;
    PublicKey key = {words[i], words[i + 1]};
    const ssh_key parsed = parse_base64(key);
    ::ssh_key_free(parsed);
    if (parsed) return key;
  }
  throw Error(str(where, ": no Ed25519 public key in it"), ExitCode::bad_input,
              "a line of it should read: ssh-ed25519 AAAA… comment");
}

PrivateKey PrivateKey::generate() {
  ssh_key key = nullptr;
  if (::ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK) throw Error("can't make an Ed25519 key");
  return PrivateKey(key);
}

PrivateKey PrivateKey::parse(const Secret& text, const std::string& where) {
  ssh_key key = nullptr;
  const Secret ended(std::string(text.view()));  // libssh wants a C string
  const int status = ::ssh_pki_import_privkey_base64(ended.view().data(), nullptr, nullptr, nullptr, &key);
  if (status != SSH_OK || ::ssh_key_type(key) != SSH_KEYTYPE_ED25519) {
    ::ssh_key_free(key);
    throw Error(str(where, ": not an Ed25519 private key without a passphrase, in OpenSSH's form"), ExitCode::bad_input,
                "`viaduct keys create` makes one");
  }
  return PrivateKey(key);
}

Secret PrivateKey::openssh() const {
  char* text = nullptr;
  if (::ssh_pki_export_privkey_base64(handle(), nullptr, nullptr, nullptr, &text) != SSH_OK)
    throw Error("can't write a private key in OpenSSH's form");
  std::string copy = text;
  ::explicit_bzero(text, copy.size());
  ::ssh_string_free_char(text);
  return Secret(std::move(copy));
}

PublicKey PrivateKey::public_key() const {
  char* base64 = nullptr;
  if (::ssh_pki_export_pubkey_base64(handle(), &base64) != SSH_OK) throw Error("can't write a public key");
  const CString owner(base64);
  return {"ssh-ed25519", base64};
}

}  // namespace viaduct::sshkeys
