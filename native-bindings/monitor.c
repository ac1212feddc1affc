// tsrun-monitor's entry and event loop. It is started with its configuration and the descriptors
// of tsrun-init, detaches itself from the caller, starts tsrun-init, and then waits: for output,
// for clients, for its children, and for what the caller says on the control socket.
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signal.h>

#define WNOHANG_FLAG 1
#define MSG_FLAGS 0x4040 // MSG_NOSIGNAL | MSG_DONTWAIT
#define MAX_WATCHES (9 + MAX_TETHERS + MAX_CLIENTS)
// More than any pipe or pty holds. With the host's pid namespace others may still write after
// the container's init is gone; they are not waited for.
#define DRAIN_LIMIT (4u << 20)
#define MAX_EARLY 16

struct monitor monitor;

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

typedef void handler(int index);
static struct pollfd polled[MAX_WATCHES];
static handler *handlers[MAX_WATCHES];
static int indexes[MAX_WATCHES];
static unsigned watches;
static struct { int pid, status; } early[MAX_EARLY];
static unsigned early_count;

static void say(uint32_t type, uint32_t step, int value) {
  struct control_record record = {type, step, value, 0};
  if (monitor.control >= 0)
    (void)SYS6(sendto, monitor.control, &record, sizeof record, MSG_FLAGS, 0, 0);
}

static void give_up(enum monitor_step step, int result) {
  say(CONTROL_FAILED, step, -result);
  leave(1);
}

// The caller says the pid of init only after init was born: it may have ended before.
static void set_init(int pid) {
  monitor.init_pid = pid;
  for (unsigned i = 0; i < early_count; i++) {
    if (early[i].pid != pid) continue;
    monitor.init_status = early[i].status;
    monitor.init_ended = 1;
  }
  if (monitor.must_die) kill_init(SIGKILL_NUMBER);
  if (monitor.config.timeout_ms > 0) set_timer(TIMER_TIMEOUT, monitor.config.timeout_ms);
}

static void note_ended(int pid, int status) {
  note_check_ended(pid, status);
  if (pid == monitor.cleanup_pid) {
    monitor.cleanup_pid = 0;
    monitor.cleanup_status = status;
  } else if (pid == monitor.init_pid) {
    monitor.init_status = status;
    monitor.init_ended = 1;
  } else if (monitor.init_pid == 0) {
    early[early_count % MAX_EARLY].pid = pid;
    early[early_count % MAX_EARLY].status = status;
    if (early_count < MAX_EARLY) early_count++;
  }
}

static void reap_children(int unused) {
  (void)unused;
  uint8_t ignored[128];
  while (SYS3(read, monitor.signals, ignored, sizeof ignored) > 0) continue;
  for (;;) {
    int status = 0;
    int pid = (int)SYS4(wait4, -1, &status, WNOHANG_FLAG, 0);
    if (pid == -EINTR) continue;
    if (pid == -ECHILD) monitor.has_children = 0;
    if (pid <= 0) return;
    note_ended(pid, status);
  }
}

static void receive_control(int unused) {
  (void)unused;
  struct control_record record;
  long count = SYS6(recvfrom, monitor.control, &record, sizeof record, MSG_FLAGS, 0, 0);
  if (count == -EINTR || count == -EAGAIN) return;
  if (count == (long)sizeof record) {
    if (record.type == CONTROL_CREATED) set_init(record.value);
    if (record.type == CONTROL_STARTED) {
      monitor.is_started = 1;
      begin_health();
    }
    if (record.type == CONTROL_ABANDON) monitor.is_abandoned = 1;
    return;
  }
  close_fd(&monitor.control);
  // The caller died half way: the clean-up command decides whether the container stays.
  if (!monitor.is_started && !monitor.is_abandoned && monitor.cleanup_pid == 0 &&
      monitor.phase < PHASE_REPORTED)
    (void)start_cleanup();
}

// A process that the container is to die with has ended: its pidfd is readable (pidfd_open(2)).
static void handle_tether(int index) {
  (void)SYS1(close, FD_TETHER_FIRST + index);
  monitor.tethers[index] = -1;
  kill_init(SIGKILL_NUMBER);
}

static void handle_timers(void) {
  if (is_due(TIMER_TIMEOUT) || is_due(TIMER_KILL)) kill_init(SIGKILL_NUMBER);
  if (is_due(TIMER_CHECK_END)) end_check_in_time();
  if (is_due(TIMER_CHECK)) start_check();
}

static void flush_input_and_resume(int unused) {
  flush_input(unused);
  for (int i = 0; i < MAX_CLIENTS; i++)
    if (monitor.clients[i].in_length > 0) receive_from_client(i);
}

static void handle_client(int index) {
  flush_client(index);
  receive_from_client(index);
}

static void watch(int fd, short events, handler *handle, int index) {
  if (fd < 0) return;
  polled[watches].fd = fd;
  polled[watches].events = events;
  polled[watches].revents = 0;
  handlers[watches] = handle;
  indexes[watches++] = index;
}

static void watch_clients(void) {
  for (int i = 0; i < MAX_CLIENTS; i++) {
    struct client *client = &monitor.clients[i];
    short events = client->in_length < sizeof client->in ? POLLIN : 0;
    if (client->out_length > 0) events = (short)(events | POLLOUT);
    if (events != 0) watch(client->fd, events, handle_client, i);
  }
}

// Waits for one thing at least, except while the rest of the output is drained.
static void handle_events(void) {
  watches = 0;
  watch(monitor.signals, POLLIN, reap_children, 0);
  watch(monitor.control, POLLIN, receive_control, 0);
  watch(monitor.listener, POLLIN, accept_clients, 0);
  watch(monitor.console, POLLIN, receive_console, 0);
  if (monitor.input_length > 0) watch(monitor.input, POLLOUT, flush_input_and_resume, 0);
  int held_back = is_held_back();
  for (int i = 0; i < 2 && !held_back; i++) watch(monitor.outputs[i], POLLIN, read_output, i);
  for (int i = 0; i < MAX_TETHERS; i++) watch(monitor.tethers[i], POLLIN, handle_tether, i);
  watch(check_report_fd(), POLLIN, receive_report, 0);
  watch(check_output_fd(), POLLIN, read_check_output, 0);
  watch_clients();
  int is_draining = monitor.phase == PHASE_DRAINING && !held_back;
  int64_t delay = is_draining ? 0 : next_timeout_ms();
  int64_t timeout[2] = {delay / 1000, delay % 1000 * 1000000};
  // Not looked at is not empty: the output is only drained after a round that could have read it.
  monitor.output_moved = held_back;
  long ready = SYS5(ppoll, polled, watches, delay < 0 ? NULL : timeout, NULL, 8);
  handle_timers();
  for (unsigned i = 0; i < watches && ready > 0; i++)
    if (polled[i].revents != 0) handlers[i](indexes[i]);
}

static void finish_output(void) {
  stop_checks();
  monitor.deadlines[TIMER_TIMEOUT] = monitor.deadlines[TIMER_KILL] = 0;
  close_fd(&monitor.outputs[0]);
  close_fd(&monitor.outputs[1]);
  close_fd(&monitor.input);
  monitor.input_length = 0;
  write_exit_record();
  // Before the word that it has ended: whoever hears that may start the container again, and the new
  // monitor's socket has the same name.
  close_listener();
  broadcast_exit();
  monitor.phase = PHASE_REPORTED;
}

// A caller that has not yet said `started` or `abandon` may still do the clean-up itself.
static int is_clean_up_due(void) {
  int has_decided = monitor.is_started || monitor.is_abandoned || monitor.control < 0;
  return has_decided && monitor.cleanup_pid == 0 && !has_owner();
}

static void clean_up(void) {
  if (monitor.is_cleaned || monitor.is_abandoned || start_cleanup() < 0 || monitor.cleanup_pid == 0)
    monitor.phase = PHASE_DONE;
  else
    monitor.phase = PHASE_CLEANING;
}

// The clean-up command has ended; its status may ask for another run.
static void rest_or_end(void) {
  int code = (monitor.cleanup_status & 0x7f) == 0 ? monitor.cleanup_status >> 8 & 0xff : 0;
  if (code < RESTART_STATUS || code > RESTART_STATUS_LAST) {
    monitor.phase = PHASE_DONE;
    return;
  }
  uint64_t delay = (uint64_t)RESTART_DELAY_MS << (code - RESTART_STATUS);
  set_timer(TIMER_REST, delay < RESTART_MAX_DELAY_MS ? delay : RESTART_MAX_DELAY_MS);
  monitor.phase = PHASE_RESTING;
}

// The phases after the end of init; each waits for its own event.
static void advance(void) {
  if (monitor.phase == PHASE_WATCHING && monitor.init_ended) {
    monitor.phase = PHASE_DRAINING;
    monitor.output_moved = 1;
  }
  if (monitor.phase == PHASE_DRAINING && !is_held_back() &&
      (!monitor.output_moved || monitor.drained > DRAIN_LIMIT))
    finish_output();
  if (monitor.phase == PHASE_REPORTED && is_clean_up_due()) clean_up();
  if (monitor.phase == PHASE_CLEANING && monitor.cleanup_pid == 0) rest_or_end();
  if (monitor.phase == PHASE_RESTING && is_due(TIMER_REST)) clean_up();
  // Nothing was ever started, or the caller removes what was.
  int has_caller = monitor.control >= 0 && !monitor.is_abandoned;
  if (!monitor.has_children && !has_caller && (monitor.is_abandoned || !monitor.init_ended))
    monitor.phase = PHASE_DONE;
}

// A session of its own: the end of the caller's terminal is not the end of the container. The
// caller reaps the first process, which has nothing more to do, as the launcher of the plan.
static void detach(void) {
  int pid = (int)SYS5(clone, SIGCHLD_NUMBER, 0, 0, 0, 0);
  if (pid < 0) give_up(STEP_SESSION, pid);
  if (pid > 0) leave(0);
  (void)SYS0(setsid);
  (void)SYS2(prctl, PR_SET_NAME, "tsrun-monitor");
  int result = (int)SYS2(prctl, PR_SET_CHILD_SUBREAPER, 1);
  if (result < 0) give_up(STEP_SESSION, result);
  result = (int)SYS1(fchdir, FD_DIRECTORY);
  if (result < 0) give_up(STEP_SESSION, result);
}

// All signals stay blocked for ever: only SIGKILL ends the monitor before its container.
static int open_signals(void) {
  uint64_t all = ~UINT64_C(0), child = UINT64_C(1) << (SIGCHLD_NUMBER - 1);
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  int fd = (int)SYS4(signalfd4, -1, &child, 8, O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fd;
  monitor.signals =
      (int)SYS3(fcntl, fd, F_DUPFD_CLOEXEC, FD_INIT_FIRST + (int)monitor.config.descriptor_count);
  close_fd(&fd);
  return monitor.signals;
}

static void adopt_descriptors(void) {
  int has_terminal = (monitor.config.flags & MONITOR_TERMINAL) != 0;
  if (has_terminal) {
    monitor.console = FD_INPUT;
  } else {
    if ((monitor.config.flags & MONITOR_INPUT) != 0) monitor.input = FD_INPUT;
    monitor.outputs[0] = FD_STDOUT;
    monitor.outputs[1] = FD_STDERR;
  }
  for (int fd = FD_INPUT; fd <= FD_STDERR; fd++) set_nonblocking(fd);
  for (uint32_t i = 0; i < monitor.config.tether_count; i++)
    monitor.tethers[i] = FD_TETHER_FIRST + (int)i;
  open_log();
}

// The container's init had to inherit the caller's value, so ours is lowered only now: a system
// short of memory must not kill a container's watcher first.
static void protect_from_oom(void) {
  int fd = (int)SYS4(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  (void)SYS3(write, fd, "-999", 4);
  close_fd(&fd);
}

_Noreturn void start(long *stack) {
  (void)stack;
  monitor.control = FD_CONTROL;
  monitor.listener = monitor.console = monitor.input = -1;
  monitor.outputs[0] = monitor.outputs[1] = -1;
  for (int i = 0; i < MAX_CLIENTS; i++) monitor.clients[i].fd = -1;
  for (int i = 0; i < MAX_TETHERS; i++) monitor.tethers[i] = -1;
  int result = read_config();
  if (result < 0) give_up(STEP_CONFIG, result);
  detach();
  result = open_signals();
  if (result < 0) give_up(STEP_SIGNALS, result);
  result = open_listener();
  if (result < 0) give_up(STEP_LISTEN, result);
  adopt_descriptors();
  result = start_init();
  if (result < 0) give_up(STEP_START, result);
  protect_from_oom();
  say(CONTROL_HELLO, 0, (int)SYS0(getpid));
  while (monitor.phase != PHASE_DONE) {
    handle_events();
    advance();
  }
  leave(0);
}
