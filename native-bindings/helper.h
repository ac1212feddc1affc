// What the small processes beside a container (tsrun-resolver, tsrun-proxy) have in common: they are started by
// a command that they outlive, tell it over a pipe how that went, and have no rights from then on.
#ifndef TSRUN_HELPER_H
#define TSRUN_HELPER_H

#include "freestanding.h"
#include "syscall.h"

#define FD_REPORT 3
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCKET_FLAGS 02004000 // SOCK_CLOEXEC | SOCK_NONBLOCK
#define MSG_FLAGS 0x4040      // MSG_NOSIGNAL | MSG_DONTWAIT

struct helper_report {
  int32_t step;  // 0: it works from now on
  int32_t value; // errno, or its pid
};

struct address {
  uint32_t length; // 4 or 16
  uint8_t bytes[16];
};

// helper.c
_Noreturn void leave(int status);
_Noreturn void give_up(int step, long result);
void detach(int step, const char *name);
void say_ready(int pid);
uint64_t now_ms(void);
int connect_to(const struct address *server, uint16_t port, int kind);

// helper-confine.c
long drop_capabilities(void);
long filter_calls(const uint16_t *allowed, uint32_t count);

static inline void close_fd(int *fd) {
  if (*fd >= 0) (void)SYS1(close, *fd);
  *fd = -1;
}

#endif
