// The entry and the event loop of tsrun-proxy; see proxy.h.
#include "proxy.h"

#include <linux/errno.h>
#include <linux/poll.h>

#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define BACKLOG 128

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

struct proxy_ports wanted;
int sockets[MAX_PORTS];
static struct pollfd polled[1 + MAX_PORTS + 2 * MAX_PAIRS + MAX_FLOWS];

static long read_ports(void) {
  long length = SYS4(pread64, FD_PORTS, &wanted, sizeof wanted, 0);
  if (length < 0) return length;
  const uint32_t head = sizeof wanted - sizeof wanted.ports;
  int is_whole = length >= head && wanted.count > 0 && wanted.count <= MAX_PORTS &&
                 (uint32_t)length == head + wanted.count * sizeof(struct proxy_port);
  return is_whole && (wanted.target.length == 4 || wanted.target.length == 16) ? 0 : -EINVAL;
}

static long open_port(const struct proxy_port *port) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port->host};
  int is_tcp = port->protocol == PROTOCOL_TCP, one = 1;
  address.sin6_addr.s6_addr[15] = 1;
  int fd = (int)SYS3(socket, AF_INET6, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCKET_FLAGS, 0);
  if (fd < 0) return fd;
  long result = is_tcp ? SYS5(setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) : 0;
  if (result == 0) result = SYS3(bind, fd, &address, sizeof address);
  if (result == 0 && is_tcp) result = SYS2(listen, fd, BACKLOG);
  if (result == 0) return fd;
  close_fd(&fd);
  return result;
}

static long open_ports(void) {
  for (uint32_t i = 0; i < wanted.count; i++) {
    long fd = open_port(&wanted.ports[i]);
    if (fd < 0) return fd;
    sockets[i] = (int)fd;
  }
  return 0;
}

static const uint16_t allowed[] = {
    __NR_ppoll,         __NR_recvfrom,   __NR_sendto,          __NR_socket,
    __NR_connect,       __NR_accept4,    __NR_close,           __NR_shutdown,
    __NR_clock_gettime, __NR_exit_group, __NR_restart_syscall,
};

static void handle_events(void) {
  uint32_t at = 0;
  polled[at++] = (struct pollfd){.fd = FD_INIT, .events = POLLIN};
  for (uint32_t i = 0; i < wanted.count; i++)
    polled[at++] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
  uint32_t pairs = watch_pairs(polled + at), flows = watch_flows(polled + at + pairs);
  (void)SYS5(ppoll, polled, at + pairs + flows, 0, 0, 8);
  if (polled[0].revents != 0) leave(0);
  handle_pairs(polled + at, pairs);
  handle_flows(polled + at + pairs, flows);
  for (uint32_t i = 0; i < wanted.count; i++) {
    if ((polled[1 + i].revents & POLLIN) == 0) continue;
    if (wanted.ports[i].protocol == PROTOCOL_TCP)
      accept_pair(i);
    else
      receive_datagrams(i);
  }
}

_Noreturn void start(long *stack) {
  (void)stack;
  long result = read_ports();
  if (result < 0) give_up(STEP_PORTS, result);
  detach(STEP_SESSION, "tsrun-proxy");
  result = open_ports();
  if (result < 0) give_up(STEP_SOCKETS, result);
  int pid = (int)SYS0(getpid);
  result = drop_capabilities();
  if (result < 0) give_up(STEP_CONFINE, result);
  say_ready(pid);
  if (filter_calls(allowed, sizeof allowed / sizeof *allowed) < 0) leave(1);
  for (;;) handle_events();
}
