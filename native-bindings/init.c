// tsrun-reaper: pid 1 of a container started with --init. It runs one command, passes every signal
// on to it, reaps what orphans leave behind, and ends as the command ends.
// argv: <self> [--] <command> [argument …]
#include "freestanding.h"
#include "syscall.h"

#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/signal.h>

#define SIGCHLD_NUMBER 17
#define SIGTTIN_NUMBER 21
#define SIGTTOU_NUMBER 22
#define WNOHANG_FLAG 1
#define MAX_PATH 4096
#define EXIT_USAGE 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

static _Noreturn void leave(int status) {
  for (;;) (void)SYS1(exit_group, status);
}

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

static int has_slash(const char *text) {
  for (; *text != 0; text++)
    if (*text == '/') return 1;
  return 0;
}

static const char *search_path(char *const *environment) {
  for (; *environment != NULL; environment++) {
    const char *entry = *environment;
    if (entry[0] == 'P' && entry[1] == 'A' && entry[2] == 'T' && entry[3] == 'H' && entry[4] == '=')
      return entry + 5;
  }
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

// As execvp(3): the first directory that has the file decides, one without permission is remembered.
static int exec_command(char *const *arguments, char *const *environment) {
  char path[MAX_PATH];
  const char *name = arguments[0];
  size_t name_length = length_of(name);
  if (has_slash(name)) return (int)SYS3(execve, name, arguments, environment);
  int result = -ENOENT;
  for (const char *from = search_path(environment);; from++) {
    size_t length = 0;
    while (from[length] != 0 && from[length] != ':') length++;
    if (length + name_length + 2 <= sizeof path) {
      memcpy(path, from, length);
      path[length] = '/';
      memcpy(path + length + (length > 0), name, name_length + 1);
      int error = (int)SYS3(execve, path, arguments, environment);
      if (error != -ENOENT && error != -ENOTDIR) result = error;
    }
    from += length;
    if (*from == 0) return result;
  }
}

// The command leads a process group of its own, in the foreground of the terminal if there is one:
// Ctrl-C then reaches it without passing through us.
static _Noreturn void run_command(char *const *arguments, char *const *environment) {
  int group = (int)SYS0(getpid);
  (void)SYS2(setpgid, 0, 0);
  (void)SYS3(ioctl, 0, TIOCSPGRP, &group); // still with SIGTTOU blocked; ENOTTY without a terminal
  uint64_t none = 0;
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  int result = exec_command(arguments, environment);
  leave(result == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

// Reaps all that has ended; returns the wait status of `command`, or -1 while it runs.
static int reap(int command) {
  int ended = -1;
  for (;;) {
    int status = 0;
    int pid = (int)SYS4(wait4, -1, &status, WNOHANG_FLAG, 0);
    if (pid == -EINTR) continue;
    if (pid <= 0) return ended;
    if (pid == command) ended = status;
  }
}

_Noreturn void start(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  char **environment = arguments + count + 1;
  int first =
      count > 1 && arguments[1][0] == '-' && arguments[1][1] == '-' && arguments[1][2] == 0 ? 2 : 1;
  if (first >= count) leave(EXIT_USAGE);
  uint64_t all = ~UINT64_C(0);
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  int command = (int)SYS5(clone, SIGCHLD_NUMBER, 0, 0, 0, 0);
  if (command == 0) run_command(arguments + first, environment);
  if (command < 0) leave(EXIT_CANNOT_RUN);
  for (;;) {
    int number = (int)SYS4(rt_sigtimedwait, &all, NULL, NULL, 8);
    if (number == SIGCHLD_NUMBER) {
      int status = reap(command);
      if (status != -1) leave((status & 0x7f) == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f));
    } else if (number > 0 && number != SIGTTIN_NUMBER && number != SIGTTOU_NUMBER) {
      (void)SYS2(kill, command, number);
    }
  }
}
