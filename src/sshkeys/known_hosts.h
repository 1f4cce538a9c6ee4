#pragma once

#include <string_view>

// What OpenSSH's known_hosts files say of a host's key. Pure.
namespace viaduct::sshkeys {

enum class KeyVerdict {
  match,    // the key stands there for this name
  changed,  // another key of the same type stands there for this name: it may be somebody else who answers
  unknown,  // nothing of this type stands there for this name
  revoked,  // the key is marked @revoked for this name, whatever other lines say
};

// Looks for a host's key in the text of a known_hosts file: see sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. `name` is the one
// that ssh looks for: SshTarget::alias. `key_type` is the key's own ("ssh-rsa", not the name of a signature), and
// `key_base64` the public key as the file writes it.
//
// Lines of @cert-authority, malformed lines and hashed names ("|1|…") match nothing: the file of a job is never hashed.
// Names are compared without regard to case.
KeyVerdict check_known_host(std::string_view text, std::string_view name, std::string_view key_type,
                            std::string_view key_base64);

// Whether a name matches a pattern of OpenSSH, where * stands for any text and ? for one byte. Case counts.
bool matches_pattern(std::string_view name, std::string_view pattern);

}  // namespace viaduct::sshkeys
