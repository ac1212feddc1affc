// Health checks: the program of a check is started in the container by a plan that tsrun has left in the
// container's folder, as `tsrun exec` would start it, and its exit status says how the container is. No
// Node is started for it. The rules are docker's: src/engine/health-check.ts says them.
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#define AF_UNIX_FAMILY 1
#define SOCK_SEQPACKET_CLOEXEC (5 | O_CLOEXEC)
#define MSG_FLAGS 0x4040 // MSG_NOSIGNAL | MSG_DONTWAIT
#define SYNC_MAPPINGS 1
#define CODE_UNKNOWN (-1)

// Twin of src/native/executor-protocol.ts.
struct report_record {
  uint32_t type, a;
  int32_t b;
  uint32_t reserved;
};
enum report_type { REPORT_FAILED_RECORD = 1, REPORT_PID = 2, REPORT_SYNC = 3 };

static struct {
  int is_running;
  int pid, ended, status, timed_out;
  int report, output, cgroup;
  int waiting; // the sync that the process waits at, 0 for none
  struct check_result result;
} check = {.report = -1, .output = -1, .cgroup = -1};

static struct check_result results[MAX_CHECK_RESULTS];
static uint32_t result_count, streak;
static enum health health;
static uint64_t started_ms;

int check_report_fd(void) { return check.report; }
int check_output_fd(void) { return check.output; }

// Without an interval a check is made only when somebody asks for it.
static void set_next(void) {
  const struct monitor_config *config = &monitor.config;
  if (config->check_interval_ms == 0) return;
  int is_starting =
      health == HEALTH_STARTING && now_ms() - started_ms < config->check_start_period_ms;
  set_timer(TIMER_CHECK, is_starting ? config->check_start_interval_ms : config->check_interval_ms);
}

void begin_health(void) {
  if (monitor.config.check_retries == 0 || monitor.init_ended) return;
  started_ms = now_ms();
  write_health(health, streak, results, result_count);
  set_next();
}

static void act(void) {
  if (monitor.config.check_action == ACTION_KILL) kill_init(SIGKILL_NUMBER);
  if (monitor.config.check_action != ACTION_STOP) return;
  kill_init((int)monitor.config.stop_signal);
  if (monitor.config.stop_timeout_ms != NEVER)
    set_timer(TIMER_KILL, monitor.config.stop_timeout_ms);
}

// A failure in the start period does not count, unless the container has been healthy before.
static void judge(int code) {
  if (code == 0) {
    health = HEALTH_HEALTHY;
    streak = 0;
    return;
  }
  int is_forgiven =
      health == HEALTH_STARTING && now_ms() - started_ms < monitor.config.check_start_period_ms;
  if (is_forgiven || ++streak < monitor.config.check_retries) return;
  int was_unhealthy = health == HEALTH_UNHEALTHY;
  health = HEALTH_UNHEALTHY;
  if (!was_unhealthy) act();
}

static void keep_result(void) {
  if (result_count == MAX_CHECK_RESULTS)
    for (uint32_t i = 1; i < MAX_CHECK_RESULTS; i++) results[i - 1] = results[i];
  else
    result_count++;
  results[result_count - 1] = check.result;
}

static void close_check(void) {
  close_fd(&check.report);
  close_fd(&check.output);
  close_fd(&check.cgroup);
  monitor.deadlines[TIMER_CHECK_END] = 0;
  check.is_running = 0;
}

static void finish_check(void) {
  read_check_output(0);
  close_check();
  struct check_result *result = &check.result;
  put_time(result->ended);
  int status = check.status;
  if (check.timed_out)
    result->error = ETIMEDOUT;
  else if (result->error == 0)
    result->code = (status & 0x7f) == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f);
  judge(result->code);
  keep_result();
  write_health(health, streak, results, result_count);
  broadcast_check(health, result->code);
  set_next();
}

// All processes of the plan have closed the report: they have ended, or the program runs.
static void finish_if_over(void) {
  if (!check.is_running || check.report >= 0) return;
  if (check.pid != 0 && !check.ended) return;
  if (check.pid == 0 && check.result.error == 0) check.result.error = ECHILD;
  finish_check();
}

static void cannot_check(int error) {
  check.result.error = error;
  close_fd(&check.report);
  finish_if_over();
}

static void write_pid(int directory, int pid) {
  char text[16];
  uint32_t length = put_decimal(text, (uint64_t)pid);
  int fd = (int)SYS4(openat, directory, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  (void)SYS3(write, fd, text, length);
  close_fd(&fd);
}

// The process waits for us; what we must do first needs its pid, which another process tells.
static void answer_sync(void) {
  static const uint8_t answer[16] = "               1";
  if (check.waiting == 0 || check.pid == 0) return;
  if (check.waiting == SYNC_MAPPINGS && check.cgroup >= 0) write_pid(check.cgroup, check.pid);
  check.waiting = 0;
  (void)SYS6(sendto, check.report, answer, sizeof answer, MSG_FLAGS, 0, 0);
}

void receive_report(int unused) {
  (void)unused;
  if (check.report < 0) return;
  struct report_record record;
  long count = SYS6(recvfrom, check.report, &record, sizeof record, MSG_FLAGS, 0, 0);
  if (count == -EINTR || count == -EAGAIN) return;
  if (count != (long)sizeof record) {
    close_fd(&check.report);
    finish_if_over();
    return;
  }
  if (record.type == REPORT_FAILED_RECORD) check.result.error = record.b;
  if (record.type == REPORT_PID) check.pid = record.b;
  if (record.type == REPORT_SYNC) check.waiting = record.b;
  answer_sync();
}

// What does not fit is read and thrown away: the check must not wait for a reader.
void read_check_output(int unused) {
  (void)unused;
  static uint8_t chunk[MAX_CHECK_OUTPUT];
  struct check_result *result = &check.result;
  // As much as a pipe holds at once: a check that writes for ever leaves the others their turn.
  for (int i = 0; i < 16 && check.output >= 0; i++) {
    long count = SYS3(read, check.output, chunk, sizeof chunk);
    if (count == -EINTR) continue;
    if (count == -EAGAIN) return;
    if (count <= 0) {
      close_fd(&check.output);
      return;
    }
    uint32_t room = MAX_CHECK_OUTPUT - result->length;
    uint32_t taken = (uint32_t)count < room ? (uint32_t)count : room;
    memcpy(result->output + result->length, chunk, taken);
    result->length += taken;
  }
}

void note_check_ended(int pid, int status) {
  if (!check.is_running || pid != check.pid) return;
  check.ended = 1;
  check.status = status;
  finish_if_over();
}

// The plan makes its process the leader of a group (setsid): what the program has started goes with it.
static void kill_check(void) {
  if (!check.is_running) return;
  if (check.pid > 0 && !check.ended) (void)SYS2(kill, -check.pid, SIGKILL_NUMBER);
  if (check.pid > 0 && !check.ended) (void)SYS2(kill, check.pid, SIGKILL_NUMBER);
  // A process that waits for an answer ends when nobody is there to give it.
  if (check.pid == 0) close_fd(&check.report);
}

void end_check_in_time(void) {
  check.timed_out = 1;
  kill_check();
  finish_if_over();
}

// The container has ended: its checks have too.
void stop_checks(void) {
  monitor.deadlines[TIMER_CHECK] = 0;
  kill_check();
  close_check();
  broadcast_check(HEALTH_NONE, CODE_UNKNOWN);
}

// cgroup.events has the line "frozen 1" while the container is paused.
static int is_paused(void) {
  static const char wanted[] = "frozen 1";
  char text[256];
  int fd = (int)SYS4(openat, check.cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  long length = SYS3(read, fd, text, sizeof text);
  close_fd(&fd);
  for (long i = 0; i + (long)sizeof wanted - 1 <= length; i++) {
    unsigned same = 0;
    while (same < sizeof wanted - 1 && text[i + same] == wanted[same]) same++;
    if (same == sizeof wanted - 1) return 1;
  }
  return 0;
}

// The descriptors of `tsrun-init 3`: three streams, plan, report, and what the plan names.
static _Noreturn void exec_check(int plan, int report, int output, int init) {
  static const char *const arguments[] = {"tsrun-init", "3", NULL};
  static const char *const no_environment[] = {NULL};
  int null = (int)SYS4(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
  int given[] = {null, output, output, plan, report, init, check.cgroup};
  int count = check.cgroup < 0 ? 6 : 7, high[8];
  for (int i = 0; i < count; i++) high[i] = (int)SYS3(fcntl, given[i], F_DUPFD_CLOEXEC, 64);
  high[7] = (int)SYS3(fcntl, FD_EXECUTABLE, F_DUPFD_CLOEXEC, 64);
  for (int i = 0; i < count; i++) (void)SYS3(dup3, high[i], i, 0);
  (void)SYS3(close_range, count, ~0u, 4); // CLOSE_RANGE_CLOEXEC
  (void)SYS5(execveat, high[7], "", arguments, no_environment, AT_EMPTY_PATH);
  leave(127);
}

static int open_pairs(int report[2], int output[2]) {
  report[0] = report[1] = output[0] = output[1] = -1;
  int result = (int)SYS4(socketpair, AF_UNIX_FAMILY, SOCK_SEQPACKET_CLOEXEC, 0, report);
  if (result == 0) result = (int)SYS2(pipe2, output, O_CLOEXEC | O_NONBLOCK);
  if (result == 0) {
    long flags = SYS3(fcntl, output[1], F_GETFL, 0);
    (void)SYS3(fcntl, output[1], F_SETFL, flags & ~O_NONBLOCK);
  }
  return result;
}

static void launch_check(void) {
  int report[2], output[2];
  int plan = (int)SYS4(openat, FD_DIRECTORY, "check.plan", O_RDONLY | O_CLOEXEC, 0);
  int init = (int)SYS2(pidfd_open, monitor.init_pid, 0);
  int result = open_pairs(report, output);
  if (result == 0) result = plan < 0 ? plan : init < 0 ? init : 0;
  int pid = result < 0 ? result : fork_unblocked();
  if (pid == 0) exec_check(plan, report[1], output[1], init);
  close_fd(&plan);
  close_fd(&init);
  close_fd(&report[1]);
  close_fd(&output[1]);
  check.report = report[0];
  check.output = output[0];
  monitor.has_children = 1;
  if (pid < 0) cannot_check(-pid);
}

// One at a time: whoever asks while one runs hears of that one.
void start_check(void) {
  int is_possible = monitor.config.check_retries > 0 && monitor.is_started && !monitor.init_ended;
  if (!is_possible) broadcast_check(HEALTH_NONE, CODE_UNKNOWN);
  if (!is_possible || check.is_running) return;
  monitor.deadlines[TIMER_CHECK] = 0;
  check.cgroup =
      (int)SYS4(openat, FD_DIRECTORY, "check.cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (check.cgroup >= 0 && is_paused()) {
    close_fd(&check.cgroup);
    broadcast_check(health, CODE_UNKNOWN);
    set_next();
    return;
  }
  check.is_running = 1;
  check.pid = check.ended = check.status = check.timed_out = check.waiting = 0;
  check.result.code = CODE_UNKNOWN;
  check.result.error = 0;
  check.result.length = 0;
  put_time(check.result.started);
  set_timer(TIMER_CHECK_END, monitor.config.check_timeout_ms);
  launch_check();
}
