// Reads the configuration and starts the other programs: tsrun-init once, the clean-up command later.
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/signal.h>

#define CLOSE_RANGE_CLOEXEC_FLAG 4u
#define MAX_INIT_DESCRIPTORS 256

static const char *const no_environment[1] = {NULL};

// Everything is checked before anything is done, as the loader of plans does.
static int config_is_valid(const struct monitor_config *config, long length) {
  if (length < (long)sizeof *config || config->magic != MONITOR_MAGIC) return 0;
  if (config->version != MONITOR_VERSION || config->flags > 7) return 0;
  if (config->tether_count > MAX_TETHERS || config->check_action > ACTION_STOP) return 0;
  if (config->log_max_size > 0 && config->log_max_files == 0) return 0;
  if (config->descriptor_count == 0 || config->descriptor_count > MAX_INIT_DESCRIPTORS) return 0;
  if (config->string_count < 2 || config->string_count > MAX_STRINGS) return 0;
  if (config->strings_length > MAX_STRING_BYTES) return 0;
  return (long)(sizeof *config + config->strings_length) == length;
}

int read_config(void) {
  static uint8_t image[sizeof(struct monitor_config) + MAX_STRING_BYTES + 1];
  long length = SYS4(pread64, FD_CONFIG, image, sizeof image, 0);
  if (length < 0) return (int)length;
  memcpy(&monitor.config, image, sizeof monitor.config);
  if (!config_is_valid(&monitor.config, length)) return -EINVAL;
  memcpy(monitor.strings, image + sizeof monitor.config, monitor.config.strings_length);
  uint32_t count = 0, start = 0;
  for (uint32_t i = 0; i < monitor.config.strings_length; i++) {
    if (monitor.strings[i] != 0) continue;
    if (count == monitor.config.string_count) return -EINVAL;
    monitor.arguments[count++] = monitor.strings + start;
    start = i + 1;
  }
  return count == monitor.config.string_count && start == monitor.config.strings_length ? 0
                                                                                        : -EINVAL;
}

// A copy of the monitor, with every signal at its default and none blocked: the monitor ignores
// nothing and handles nothing, it only blocks.
int fork_unblocked(void) {
  int pid = (int)SYS5(clone, SIGCHLD_NUMBER, 0, 0, 0, 0);
  if (pid == 0) {
    uint64_t none = 0;
    (void)SYS4(rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  }
  return pid;
}

_Noreturn void leave(int status) {
  for (;;) (void)SYS1(exit_group, status);
}

// The descriptors of tsrun-init move down to 0, 1, 2, …: each target is below its source, so going
// upwards none is overwritten before it has moved.
static _Noreturn void exec_init(void) {
  int count = (int)monitor.config.descriptor_count;
  const char *arguments[3] = {"tsrun-init", monitor.arguments[0], NULL};
  int executable = (int)SYS3(fcntl, FD_EXECUTABLE, F_DUPFD_CLOEXEC, FD_INIT_FIRST + count);
  for (int i = 0; i < count; i++) (void)SYS3(dup3, FD_INIT_FIRST + i, i, 0);
  (void)SYS3(close_range, count, ~0u, CLOSE_RANGE_CLOEXEC_FLAG);
  if (executable >= 0)
    (void)SYS5(execveat, executable, "", arguments, no_environment, AT_EMPTY_PATH);
  leave(127);
}

// The launcher of the plan exits and leaves the container's init to us, its subreaper.
int start_init(void) {
  int pid = fork_unblocked();
  if (pid == 0) exec_init();
  if (pid < 0) return pid;
  monitor.has_children = 1;
  (void)SYS3(close_range, FD_INIT_FIRST, FD_INIT_FIRST + monitor.config.descriptor_count - 1, 0);
  // Health checks are plans too.
  if (monitor.config.check_retries == 0) (void)SYS1(close, FD_EXECUTABLE);
  for (uint32_t i = monitor.config.tether_count; i < MAX_TETHERS; i++)
    (void)SYS1(close, FD_TETHER_FIRST + i);
  return 0;
}

static _Noreturn void exec_cleanup(void) {
  int null = (int)SYS4(openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  for (int i = 0; i < 3; i++) (void)SYS3(dup3, null, i, 0);
  (void)SYS3(close_range, 3, ~0u, 0);
  (void)SYS3(execve, monitor.arguments[2], monitor.arguments + 2, no_environment);
  leave(127);
}

// All that is to do after a container is the clean-up command's: policy stays in TypeScript.
int start_cleanup(void) {
  if (monitor.config.string_count < 3) return 0;
  int pid = fork_unblocked();
  if (pid == 0) exec_cleanup();
  if (pid > 0) {
    monitor.cleanup_pid = pid;
    monitor.has_children = 1;
  }
  return pid < 0 ? pid : 0;
}
