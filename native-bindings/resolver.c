// The entry and the event loop of tsrun-resolver; see resolver.h.
#include "resolver.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/time.h>
#include <linux/time_types.h>

#define AF_INET 2
#define SOCK_STREAM_FLAGS 02004001 // SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK
#define SOCK_DGRAM_FLAGS 02004002
#define SIGCHLD_NUMBER 17
#define BACKLOG 16
#define DNS_PORT 0x3500        // 53 in network order
#define OWN_ADDRESS 0x0b00007f // 127.0.0.11 in network order

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

uint8_t packet_in[MAX_PACKET];
uint8_t packet_out[MAX_PACKET];
static struct pollfd polled[MAX_WATCHES];
static int udp, listener;

static _Noreturn void leave(int status) {
  for (;;) (void)SYS1(exit_group, status);
}

static void say(int step, int value) {
  struct resolver_report report = {step, value};
  (void)SYS3(write, FD_REPORT, &report, sizeof report);
}

static _Noreturn void give_up(enum resolver_step step, long result) {
  say(step, (int)-result);
  leave(1);
}

uint64_t now_ms(void) {
  struct __kernel_timespec now = {0};
  (void)SYS2(clock_gettime, CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint16_t random_word(void) {
  uint16_t word = 0;
  (void)SYS3(getrandom, &word, sizeof word, 0);
  return word;
}

// A session of its own, and a parent that the caller reaps at once: it outlives the command that starts it.
static void detach(void) {
  int pid = (int)SYS5(clone, SIGCHLD_NUMBER, 0, 0, 0, 0);
  if (pid < 0) give_up(STEP_SESSION, pid);
  if (pid > 0) leave(0);
  (void)SYS0(setsid);
  (void)SYS2(prctl, PR_SET_NAME, "tsrun-resolver");
  // All signals stay blocked: only SIGKILL ends it before its container.
  uint64_t all = ~UINT64_C(0);
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  int fd = (int)SYS4(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  (void)SYS3(write, fd, "-999", 4);
  close_fd(&fd);
}

static int bound_socket(int kind) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = DNS_PORT};
  address.sin_addr.s_addr = OWN_ADDRESS;
  int fd = (int)SYS3(socket, AF_INET, kind, 0);
  if (fd < 0) return fd;
  long result = SYS3(bind, fd, &address, sizeof address);
  if (result == 0 && kind == SOCK_STREAM_FLAGS) result = SYS2(listen, fd, BACKLOG);
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
  udp = bound_socket(SOCK_DGRAM_FLAGS);
  listener = bound_socket(SOCK_STREAM_FLAGS);
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
  detach();
  long result = open_sockets();
  if (result < 0) give_up(STEP_SOCKETS, result);
  int namespace = FD_NAMESPACE, report = FD_REPORT, pid = (int)SYS0(getpid);
  close_fd(&namespace);
  result = enter_folder();
  if (result == 0) result = drop_capabilities();
  if (result < 0) give_up(STEP_CONFINE, result);
  say(0, pid);
  close_fd(&report);
  // The filter lets nothing be written any more; without it there would be nobody left to tell.
  if (filter_calls() < 0) leave(1);
  for (;;) handle_events();
}
