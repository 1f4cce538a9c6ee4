#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/secret.h"

struct ssh_key_struct;  // libssh's

namespace viaduct::sshkeys {

// The public half of a key, as authorized_keys and known_hosts write it.
struct PublicKey {
  std::string type;    // "ssh-ed25519"
  std::string base64;  // the key as RFC 8709, section 4, has it

  std::string line(std::string_view comment) const;  // "ssh-ed25519 AAAA… comment", without a newline
  std::string fingerprint() const;  // "SHA256:…", as `ssh-keygen -l` prints it; throws Error when it is no Ed25519 key
  bool operator==(const PublicKey&) const = default;
};

// The key of one line of a .pub file, or of authorized_keys (options before it are passed over). Throws Error
// (bad_input) naming `where`.
PublicKey parse_public_key(std::string_view line, const std::string& where);

// An Ed25519 key pair (RFC 8709). Has one owner; its memory is wiped when it goes.
class PrivateKey {
 public:
  static PrivateKey generate();
  // Reads OpenSSH's form ("BEGIN OPENSSH PRIVATE KEY") without a passphrase; lines may end in CR LF. Throws Error
  // (bad_input) naming `where`.
  static PrivateKey parse(const Secret& text, const std::string& where);
  // As parse, from a file, of which no copy is left in memory. Throws Error (not_found) when there is none.
  static PrivateKey read(const std::filesystem::path& file);

  Secret openssh() const;  // OpenSSH's form, unencrypted; ends with a newline
  PublicKey public_key() const;

  ssh_key_struct* handle() const { return key_.get(); }  // stays the key's

 private:
  struct Free {
    void operator()(ssh_key_struct* key) const;
  };
  explicit PrivateKey(ssh_key_struct* key) : key_(key) {}

  std::unique_ptr<ssh_key_struct, Free> key_;
};

}  // namespace viaduct::sshkeys
