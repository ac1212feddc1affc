// The entry and the event loop of tsrun-resolver; see resolver.h.
#include "resolver.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time_types.h>

#define BACKLOG 16
#define AF_NETLINK 16
#define SOCK_RAW 3
#define OWN_ADDRESS 0x0b00007f // 127.0.0.11 in network order

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

uint8_t packet_in[MAX_PACKET];
uint8_t packet_out[MAX_PACKET];
static struct pollfd polled[MAX_WATCHES];
static int udp, listener;

uint16_t random_word(void) {
  uint16_t word = 0;
  (void)SYS3(getrandom, &word, sizeof word, 0);
  return word;
}

// Whether nf_tables has taken what the caller says: that port 53 of our address leads to our own port.
static int redirect(void) {
  int descriptor = FD_REDIRECT, is_taken = 0;
  long length = SYS4(pread64, descriptor, packet_in, MAX_PACKET, 0);
  close_fd(&descriptor);
  int fd = (int)SYS3(socket, AF_NETLINK, SOCK_RAW | SOCKET_FLAGS, NETLINK_NETFILTER);
  if (fd < 0) return 0;
  if (length > 0) (void)SYS6(sendto, fd, packet_in, length, MSG_FLAGS, 0, 0);
  // The kernel has worked it off when sendto() returns; each answer is a datagram.
  for (;;) {
    struct nlmsghdr head;
    int error;
    length = SYS6(recvfrom, fd, packet_in, MAX_PACKET, MSG_FLAGS, 0, 0);
    if (length < (long)(sizeof head + sizeof error)) break;
    memcpy(&head, packet_in, sizeof head);
    memcpy(&error, packet_in + sizeof head, sizeof error);
    is_taken = head.nlmsg_type == NLMSG_ERROR && error == 0;
    if (!is_taken) break;
  }
  close_fd(&fd);
  return is_taken;
}

static int bound_socket(int kind, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
  address.sin_addr.s_addr = OWN_ADDRESS;
  int fd = (int)SYS3(socket, AF_INET, kind | SOCKET_FLAGS, 0);
  if (fd < 0) return fd;
  long result = SYS3(bind, fd, &address, sizeof address);
  if (result == 0 && kind == SOCK_STREAM) result = SYS2(listen, fd, BACKLOG);
  if (result == 0) return fd;
  close_fd(&fd);
  return (int)result;
}

// The sockets are the container's; whatever is opened later is of the namespace that we come from.
static long open_sockets(void) {
  int own = (int)SYS4(openat, AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
  if (own < 0) return own;
  long result = SYS2(setns, FD_NAMESPACE, CLONE_NEWNET);
  if (result < 0) return result;
  // A kernel without nf_tables has no networks of ours but those of others' drivers: port 53 itself, then.
  uint16_t port = redirect() ? (uint16_t)(OWN_PORT << 8 | OWN_PORT >> 8) : DNS_PORT;
  udp = bound_socket(SOCK_DGRAM, port);
  listener = bound_socket(SOCK_STREAM, port);
  result = SYS2(setns, own, CLONE_NEWNET);
  close_fd(&own);
  if (udp < 0) return udp;
  return listener < 0 ? listener : result;
}

// Nothing below the folder of networks is another's, and nothing above it is there any more.
static long enter_folder(void) {
  long result = SYS1(fchdir, FD_NETWORKS);
  if (result == 0) result = SYS1(chroot, ".");
  return result;
}

static const uint16_t allowed[] = {
    __NR_ppoll,   __NR_recvfrom,  __NR_sendto,        __NR_socket,     __NR_connect,
    __NR_accept4, __NR_close,     __NR_openat,        __NR_fstat,      __NR_mmap,
    __NR_munmap,  __NR_getrandom, __NR_clock_gettime, __NR_exit_group, __NR_restart_syscall,
};

static void wait_for_events(uint32_t count) {
  uint64_t first = first_forward_deadline(), other = first_connection_deadline();
  if (other < first) first = other;
  uint64_t now = now_ms(), rest = first > now ? first - now : 0;
  struct __kernel_timespec timeout = {.tv_sec = (int64_t)(rest / 1000),
                                      .tv_nsec = (int64_t)(rest % 1000) * 1000000};
  (void)SYS5(ppoll, polled, count, first == ~UINT64_C(0) ? 0 : &timeout, 0, 8);
}

static void handle_events(void) {
  polled[0] = (struct pollfd){.fd = FD_INIT, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = udp, .events = POLLIN};
  polled[2] = (struct pollfd){.fd = listener, .events = POLLIN};
  uint32_t forwards = watch_forwards(polled + 3);
  uint32_t connections = watch_connections(polled + 3 + forwards);
  wait_for_events(3 + forwards + connections);
  if (polled[0].revents != 0) leave(0);
  handle_forwards(udp, polled + 3, forwards);
  handle_connections(polled + 3 + forwards, connections);
  if ((polled[1].revents & POLLIN) != 0) receive_questions(udp);
  if ((polled[2].revents & POLLIN) != 0) accept_connections(listener);
}

_Noreturn void start(long *stack) {
  const char *const *arguments = (const char *const *)(stack + 1);
  if (stack[0] != 2 || !open_settings(arguments[1])) give_up(STEP_ARGUMENTS, -EINVAL);
  detach(STEP_SESSION, "tsrun-resolver");
  long result = open_sockets();
  if (result < 0) give_up(STEP_SOCKETS, result);
  int namespace = FD_NAMESPACE, pid = (int)SYS0(getpid);
  close_fd(&namespace);
  result = enter_folder();
  if (result == 0) result = drop_capabilities();
  if (result < 0) give_up(STEP_CONFINE, result);
  say_ready(pid);
  // The filter lets nothing be written any more; without it there would be nobody left to tell.
  if (filter_calls(allowed, sizeof allowed / sizeof *allowed) < 0) leave(1);
  for (;;) handle_events();
}
