// tsrun-monitor: watches one container, so that nothing of Node stays while it runs.
// What goes over its descriptors is drawn in src/monitor/monitor-protocol.ts, this file's twin;
// test/native/monitor-protocol.test.ts holds the two together.
#ifndef TSRUN_MONITOR_H
#define TSRUN_MONITOR_H

#include "freestanding.h"
#include "syscall.h"

#define MONITOR_MAGIC 0x4d525354u  // "TSRM"
#define MONITOR_VERSION 1u
#define MAX_STRINGS 24
#define MAX_STRING_BYTES 4096
#define MAX_CLIENTS 32
#define FRAME_HEADER 8
#define MAX_FRAME 8192
#define CHUNK 16384

// The descriptors the monitor is started with; from FD_INIT_FIRST on those of tsrun-init.
enum monitor_descriptor {
  FD_CONFIG = 0,
  FD_DIRECTORY = 1,
  FD_LOG = 2,
  FD_CONTROL = 3,
  FD_INPUT = 4,  // our end of stdin's pipe, or of the console socket when there is a terminal
  FD_STDOUT = 5,
  FD_STDERR = 6,
  FD_EXECUTABLE = 7,
  FD_INIT_FIRST = 8,
};

enum monitor_flag {
  MONITOR_TERMINAL = 1,    // the output comes through a pty whose master arrives on the console socket
  MONITOR_INPUT = 2,       // stdin is open
  MONITOR_INPUT_ONCE = 4,  // stdin is closed when the owning client goes
};

struct monitor_config {
  uint32_t magic;
  uint16_t version;
  uint16_t flags;
  uint32_t descriptor_count; // of tsrun-init
  uint32_t string_count;     // string 0 is the argument of tsrun-init, the rest the clean-up command
  uint32_t strings_length;
  uint16_t rows;
  uint16_t columns;
};
_Static_assert(sizeof(struct monitor_config) == 24, "monitor_config is 24 bytes on the wire");

struct control_record {
  uint32_t type;
  uint32_t step;
  int32_t value;
  uint32_t reserved;
};
enum control_type {
  CONTROL_HELLO = 1,    // value: pid of the monitor
  CONTROL_FAILED = 2,   // step: what failed; value: errno
  CONTROL_CREATED = 3,  // value: pid of the container's init
  CONTROL_STARTED = 4,
  CONTROL_ABANDON = 5,  // the caller itself removes the container
};

enum monitor_step { STEP_CONFIG = 1, STEP_SESSION, STEP_SIGNALS, STEP_LISTEN, STEP_START };

enum client_frame {
  CLIENT_HELLO = 1,  // u32 of client_flag
  CLIENT_INPUT = 2,
  CLIENT_INPUT_END = 3,
  CLIENT_RESIZE = 4,  // u16 rows, u16 columns
  CLIENT_CLEANED = 5, // the owner has done the clean-up
};

enum client_flag {
  CLIENT_WANTS_OUTPUT = 1,
  CLIENT_IS_PATIENT = 2, // the container waits for this client; others are dropped when they lag
  CLIENT_IS_OWNER = 4,   // does the clean-up after the exit, unless it goes before
};

enum monitor_frame { MONITOR_STDOUT = 1, MONITOR_STDERR = 2, MONITOR_ATTACHED = 3, MONITOR_EXIT = 4 };

struct client {
  int fd; // -1: free
  uint32_t flags;
  uint32_t in_length;
  uint32_t out_length;
  uint8_t in[FRAME_HEADER + MAX_FRAME];
  uint8_t out[FRAME_HEADER + CHUNK + FRAME_HEADER + 4];
};

enum phase { PHASE_WATCHING = 0, PHASE_DRAINING, PHASE_REPORTED, PHASE_CLEANING, PHASE_DONE };

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
  int init_pid; // 0 until the caller says it
  int init_status;
  int init_ended;
  int has_children;
  int is_started;
  int is_abandoned;
  int is_cleaned;
  int cleanup_pid;
  int output_moved;
  uint32_t drained;
  uint64_t log_lost;
  uint32_t input_length;
  uint8_t input_pending[MAX_FRAME];
  struct client clients[MAX_CLIENTS];
};
extern struct monitor monitor;

// monitor-start.c
int read_config(void);
int start_init(void);
int start_cleanup(void);

// monitor-log.c
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
int is_held_back(void);
int has_owner(void);

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
