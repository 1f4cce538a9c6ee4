#include "sshkeys/transport.h"

#include <libssh/libssh.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace viaduct::sshkeys {

void look_up_in_files_and_dns() {
  ::__nss_configure_lookup("passwd", "files");
  ::__nss_configure_lookup("hosts", "files dns");
}

void start_libssh() {
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                            OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_ATEXIT,
                        nullptr);
  ::ssh_init();
}

std::string own_user_name() {
  const passwd* entry = ::getpwuid(::getuid());
  return entry ? entry->pw_name : "viaduct";
}

void set_up_tcp(int socket) {
  const auto set = [&](int level, int name, int value) { ::setsockopt(socket, level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 5);           // seconds
  set(IPPROTO_TCP, TCP_KEEPINTVL, 3);          // seconds
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);            // probes without an answer
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 15'000);  // milliseconds, for what was sent and not acknowledged
}

std::vector<std::string> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* address = found; address; address = address->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(address->ai_addr, address->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 &&
        std::ranges::find(addresses, text) == addresses.end())
      addresses.emplace_back(text);
  }
  return addresses;
}

}  // namespace viaduct::sshkeys
