#include "sshkeys/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace viaduct::sshkeys {

void set_up_tcp(int socket) {
  const auto set = [&](int level, int name, int value) { ::setsockopt(socket, level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 5);          // seconds
  set(IPPROTO_TCP, TCP_KEEPINTVL, 3);         // seconds
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);           // probes without an answer
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 15'000); // milliseconds, for what was sent and not acknowledged
}

}  // namespace viaduct::sshkeys
