// tsrun-monitor: watches one container, so that nothing of Node stays while it runs.
// What goes over its descriptors is drawn in src/monitor/monitor-protocol.ts, this file's twin;
// test/native/monitor-protocol.test.ts holds the two together.
#ifndef TSRUN_MONITOR_H
#define TSRUN_MONITOR_H

#include "freestanding.h"
#include "syscall.h"

#define MONITOR_MAGIC 0x4d525354u // "TSRM"
#define MONITOR_VERSION 2u
#define MAX_STRINGS 24
#define MAX_STRING_BYTES 4096
#define MAX_CLIENTS 32
#define FRAME_HEADER 8
#define MAX_FRAME 8192
#define CHUNK 16384
#define MAX_TETHERS 2
#define MAX_CHECK_OUTPUT 4096
#define MAX_CHECK_RESULTS 5
// The clean-up command exits with RESTART_STATUS + n to be run once more in RESTART_DELAY_MS << n
// milliseconds, RESTART_MAX_DELAY_MS at most: it starts the container anew then.
#define RESTART_STATUS 64
#define RESTART_STATUS_LAST 79
#define RESTART_DELAY_MS 100
#define RESTART_MAX_DELAY_MS 60000
#define SIGKILL_NUMBER 9
#define SIGCHLD_NUMBER 17

// The descriptors the monitor is started with; from FD_INIT_FIRST on those of tsrun-init.
enum monitor_descriptor {
  FD_CONFIG = 0,
  FD_DIRECTORY = 1,
  FD_LOG = 2,
  FD_CONTROL = 3,
  FD_INPUT = 4, // our end of stdin's pipe, or of the console socket when there is a terminal
  FD_STDOUT = 5,
  FD_STDERR = 6,
  FD_EXECUTABLE = 7,
  FD_TETHER_FIRST = 8, // pidfds of the processes that the container dies with
  FD_INIT_FIRST = 10,
};

enum monitor_flag {
  MONITOR_TERMINAL = 1, // the output comes through a pty whose master arrives on the console socket
  MONITOR_INPUT = 2,    // stdin is open
  MONITOR_INPUT_ONCE = 4, // stdin is closed when the owning client goes
};

struct monitor_config {
  uint32_t magic;
  uint16_t version;
  uint16_t flags;
  uint32_t descriptor_count; // of tsrun-init
  uint32_t string_count; // the argument of tsrun-init, the log's name, then the clean-up command
  uint32_t strings_length;
  uint16_t rows;
  uint16_t columns;
  uint32_t timeout_ms; // after which the container is killed; 0: never
  uint32_t tether_count;
  uint64_t log_max_size; // a file of the log is not longer than this; 0: there is one without limit
  uint32_t log_max_files;
  uint32_t check_retries; // 0: there is no health check
  uint32_t check_interval_ms;
  uint32_t check_timeout_ms;
  uint32_t check_start_period_ms;
  uint32_t check_start_interval_ms;
  uint32_t check_action; // enum check_action
  uint32_t stop_signal;
  uint32_t stop_timeout_ms; // from the stop signal to SIGKILL, NEVER for never
  uint32_t reserved;
};
_Static_assert(sizeof(struct monitor_config) == 80, "monitor_config is 80 bytes on the wire");
#define NEVER 0xffffffffu

// What is done with a container that has become unhealthy.
enum check_action { ACTION_NONE = 0, ACTION_KILL, ACTION_STOP };

struct control_record {
  uint32_t type;
  uint32_t step;
  int32_t value;
  uint32_t reserved;
};
enum control_type {
  CONTROL_HELLO = 1,   // value: pid of the monitor
  CONTROL_FAILED = 2,  // step: what failed; value: errno
  CONTROL_CREATED = 3, // value: pid of the container's init
  CONTROL_STARTED = 4,
  CONTROL_ABANDON = 5, // the caller itself removes the container
};

enum monitor_step { STEP_CONFIG = 1, STEP_SESSION, STEP_SIGNALS, STEP_LISTEN, STEP_START };

enum client_frame {
  CLIENT_HELLO = 1, // u32 of client_flag
  CLIENT_INPUT = 2,
  CLIENT_INPUT_END = 3,
  CLIENT_RESIZE = 4,  // u16 rows, u16 columns
  CLIENT_CLEANED = 5, // the owner has done the clean-up
  CLIENT_CHECK = 6,   // asks for a health check now
};

enum client_flag {
  CLIENT_WANTS_OUTPUT = 1,
  CLIENT_IS_PATIENT = 2,  // the container waits for this client; others miss output when they lag
  CLIENT_IS_OWNER = 4,    // does the clean-up after the exit, unless it goes before
  CLIENT_GIVES_INPUT = 8, // with MONITOR_INPUT_ONCE stdin ends when this client goes
};

enum monitor_frame {
  MONITOR_STDOUT = 1,
  MONITOR_STDERR = 2,
  MONITOR_ATTACHED = 3,
  MONITOR_EXIT = 4,
  MONITOR_SKIPPED = 5, // u64: so many bytes of output did not go to this client, which lagged
  MONITOR_CHECKED = 6, // u32 health, i32 exit code of the check
};

struct client {
  int fd; // -1: free
  uint32_t flags;
  int wants_check;
  int lags;               // it did not read for LAG_PATIENCE_MS: the container waits no more for it
  uint64_t stalled_until; // 0 while nothing is pending
  uint64_t skipped;
  uint32_t in_length;
  uint32_t out_length;
  uint8_t in[FRAME_HEADER + MAX_FRAME];
  uint8_t out[FRAME_HEADER + CHUNK + 3 * (FRAME_HEADER + 8)];
};

enum phase {
  PHASE_WATCHING = 0,
  PHASE_DRAINING,
  PHASE_REPORTED,
  PHASE_CLEANING,
  PHASE_RESTING, // until the container is started anew
  PHASE_DONE,
};

enum timer { TIMER_TIMEOUT = 0, TIMER_KILL, TIMER_REST, TIMER_CHECK, TIMER_CHECK_END, TIMER_COUNT };

// In this order in the file `health`: src/monitor/health-file.ts reads it.
enum health { HEALTH_STARTING = 0, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH_NONE };

// All of the monitor's state: one process, one container.
struct monitor {
  struct monitor_config config;
  char strings[MAX_STRING_BYTES];
  const char *arguments[MAX_STRINGS + 1];
  enum phase phase;
  int signals;
  int control;
  int listener;
  int console;
  int input;
  int outputs[2];
  int tethers[MAX_TETHERS];
  int init_pid; // 0 until the caller says it
  int init_status;
  int init_ended;
  int has_children;
  int is_started;
  int is_abandoned;
  int is_cleaned;
  int must_die;
  int cleanup_pid;
  int cleanup_status;
  int output_moved;
  uint32_t drained;
  uint64_t log_lost;
  uint64_t deadlines[TIMER_COUNT]; // of CLOCK_MONOTONIC in milliseconds; 0: not set
  uint32_t input_length;
  uint8_t input_pending[MAX_FRAME];
  struct client clients[MAX_CLIENTS];
};
extern struct monitor monitor;

// monitor-start.c
int read_config(void);
int start_init(void);
int start_cleanup(void);
int fork_unblocked(void);
_Noreturn void leave(int status);

// monitor-timers.c
uint64_t now_ms(void);
void set_timer(enum timer timer, uint64_t delay_ms);
int is_due(enum timer timer);
int64_t next_timeout_ms(void);
void kill_init(int signal);

// monitor-health.c
void begin_health(void);
void start_check(void);
void end_check_in_time(void);
void note_check_ended(int pid, int status);
void receive_report(int unused);
void read_check_output(int unused);
int check_report_fd(void);
int check_output_fd(void);
void stop_checks(void);

// monitor-health-file.c
struct check_result {
  char started[32], ended[32]; // with their NUL
  int code;
  int error; // errno of what kept the check from running, 0 when it ran
  uint32_t length;
  uint8_t output[MAX_CHECK_OUTPUT];
};
void write_health(enum health health, uint32_t streak, const struct check_result *results,
                  uint32_t count);

// monitor-text.c
#define TIME_LENGTH 30
void put_number(char *to, uint64_t value, unsigned digits);
uint32_t put_decimal(char *to, uint64_t value);
void put_time(char *to);
int replace_file(const char *draft, const char *name, const void *bytes, uint32_t length);

// monitor-log.c
void open_log(void);
void log_output(int is_stderr, const uint8_t *bytes, uint32_t length);
void write_exit_record(void);

// monitor-attach.c
int open_listener(void);
void close_listener(void);
void accept_clients(int unused);
void receive_from_client(int index);
void flush_client(int index);
void broadcast_output(int is_stderr, const uint8_t *bytes, uint32_t length);
void broadcast_exit(void);
void broadcast_check(enum health health, int code);
int is_held_back(void);
int has_owner(void);
uint64_t first_stall(void);

// monitor-stdio.c
void receive_console(int unused);
void resize_terminal(uint16_t rows, uint16_t columns);
void read_output(int index);
void write_input(const uint8_t *bytes, uint32_t length);
void flush_input(int unused);
void close_input(void);
void set_nonblocking(int fd);

static inline void close_fd(int *fd) {
  if (*fd >= 0) (void)SYS1(close, *fd);
  *fd = -1;
}

#endif
