#include "helper.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/time.h>
#include <linux/time_types.h>

#define SIGCHLD_NUMBER 17

_Noreturn void leave(int status) {
  for (;;) (void)SYS1(exit_group, status);
}

static void say(int step, int value) {
  struct helper_report report = {step, value};
  int fd = FD_REPORT;
  (void)SYS3(write, fd, &report, sizeof report);
  close_fd(&fd);
}

_Noreturn void give_up(int step, long result) {
  say(step, (int)-result);
  leave(1);
}

void say_ready(int pid) { say(0, pid); }

uint64_t now_ms(void) {
  struct __kernel_timespec now = {0};
  (void)SYS2(clock_gettime, CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// A session of its own, and a parent that the caller reaps at once: it outlives the command that starts it.
void detach(int step, const char *name) {
  int pid = (int)SYS5(clone, SIGCHLD_NUMBER, 0, 0, 0, 0);
  if (pid < 0) give_up(step, pid);
  if (pid > 0) leave(0);
  (void)SYS0(setsid);
  (void)SYS2(prctl, PR_SET_NAME, name);
  // All signals stay blocked: only SIGKILL ends it before its container.
  uint64_t all = ~UINT64_C(0);
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  int fd = (int)SYS4(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  (void)SYS3(write, fd, "-999", 4);
  close_fd(&fd);
}

// A socket that is connected, or about to be; the port is in network order.
int connect_to(const struct address *server, uint16_t port, int kind) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
  int is_v4 = server->length == 4;
  int fd = (int)SYS3(socket, is_v4 ? AF_INET : AF_INET6, kind | SOCKET_FLAGS, 0);
  if (fd < 0) return fd;
  if (is_v4)
    memcpy(&v4.sin_addr, server->bytes, 4);
  else
    memcpy(&v6.sin6_addr, server->bytes, 16);
  long result = is_v4 ? SYS3(connect, fd, &v4, sizeof v4) : SYS3(connect, fd, &v6, sizeof v6);
  if (result == 0 || result == -EINPROGRESS) return fd;
  close_fd(&fd);
  return (int)result;
}
