#pragma once

#include <string>
#include <vector>

namespace viaduct::sshkeys {

// What client and server have in common below the commands.

// Names of hosts and users are looked up in files and by DNS alone from then on. For a static program, first of all:
// one that loads the other modules of nsswitch.conf, which are another libc's, crashes.
void look_up_in_files_and_dns();

// Before any use of libssh. OpenSSL's configuration file is not read: what it says is another program's concern, and it
// costs a millisecond.
void start_libssh();

std::string own_user_name();  // "viaduct" for a user that has none

// Makes a connected TCP socket send at once, and makes the kernel notice within about 15 seconds that the other end, or
// the way to it, is gone (TCP_USER_TIMEOUT, RFC 5482, and keep-alive).
void set_up_tcp(int socket);

// The addresses of a host as text, without repetition; empty when its name can't be resolved.
std::vector<std::string> resolve(const std::string& host);

inline constexpr const char* key_exchange_algorithms = "curve25519-sha256,curve25519-sha256@libssh.org";
inline constexpr const char* host_key_algorithms = "ssh-ed25519";
inline constexpr const char* cipher_algorithms =
    "aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-gcm@openssh.com";

}  // namespace viaduct::sshkeys
