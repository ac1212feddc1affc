// The log and the exit record. The log has the form of the kubelet's and podman's log files,
//   <RFC 3339 time> <stdout|stderr> <F|P> <text>
// with P for a piece whose line goes on: every byte of the container survives, and nothing has to
// be held back until a line is complete, as JSON lines would need. A file that would grow beyond its
// limit becomes <name>.1, as that one becomes <name>.2; the last one goes. src/monitor/log-files.ts reads them.
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#define BUFFER 32768
#define PREFIX_LENGTH (TIME_LENGTH + 10) // time, " stdout F "
#define SEEK_END_NUMBER 2
#define MAX_NAME 64

static uint8_t buffer[BUFFER];
static uint32_t used;
static uint64_t log_size;

static const char *log_name(void) { return monitor.arguments[1]; }

// A container that is started anew goes on in its old log.
void open_log(void) {
  long size = SYS3(lseek, FD_LOG, 0, SEEK_END_NUMBER);
  log_size = size > 0 ? (uint64_t)size : 0;
}

// A full disk must not stop the container: what cannot be written is counted and reported.
static void flush_log(void) {
  uint32_t done = 0;
  while (done < used) {
    long count = SYS3(write, FD_LOG, buffer + done, used - done);
    if (count == -EINTR) continue;
    if (count <= 0) {
      monitor.log_lost += used - done;
      break;
    }
    done += (uint32_t)count;
  }
  log_size += done;
  used = 0;
}

// The name of file `number` of the log, 0 for the one that is written.
static void put_log_name(char *to, uint32_t number) {
  uint32_t length = 0;
  while (log_name()[length] != 0 && length < MAX_NAME - 12) {
    to[length] = log_name()[length];
    length++;
  }
  if (number > 0) {
    to[length++] = '.';
    length += put_decimal(to + length, number);
  }
  to[length] = 0;
}

// A reader of the old file keeps it: with one file only it is unlinked, not emptied under the reader.
static void rotate_log(void) {
  char from[MAX_NAME], to[MAX_NAME];
  for (uint32_t number = monitor.config.log_max_files - 1; number > 0; number--) {
    put_log_name(from, number - 1);
    put_log_name(to, number);
    (void)SYS5(renameat2, FD_DIRECTORY, from, FD_DIRECTORY, to, 0);
  }
  put_log_name(from, 0);
  (void)SYS3(unlinkat, FD_DIRECTORY, from, 0);
  log_size = 0;
  int fd = (int)SYS4(openat, FD_DIRECTORY, from, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  // Without a new file the old one goes on, and the next rotation tries again.
  if (fd < 0) return;
  (void)SYS3(dup3, fd, FD_LOG, O_CLOEXEC);
  close_fd(&fd);
}

// A piece is never torn: it is in one file, and a rotation comes before it.
static void put_piece(const char *prefix, const uint8_t *text, uint32_t length) {
  uint32_t whole = PREFIX_LENGTH + length + 1;
  uint64_t limit = monitor.config.log_max_size;
  int is_full = limit > 0 && log_size + used > 0 && log_size + used + whole > limit;
  if (is_full || used + whole > BUFFER) flush_log();
  if (is_full) rotate_log();
  memcpy(buffer + used, prefix, PREFIX_LENGTH);
  memcpy(buffer + used + PREFIX_LENGTH, text, length);
  buffer[used + whole - 1] = '\n';
  used += whole;
}

void log_output(int is_stderr, const uint8_t *bytes, uint32_t length) {
  if (log_name()[0] == 0) return;
  char prefix[PREFIX_LENGTH];
  put_time(prefix);
  memcpy(prefix + TIME_LENGTH, is_stderr ? " stderr F " : " stdout F ", 10);
  uint32_t from = 0;
  while (from < length) {
    uint32_t to = from;
    while (to < length && bytes[to] != '\n') to++;
    prefix[PREFIX_LENGTH - 2] = to < length ? 'F' : 'P';
    put_piece(prefix, bytes + from, to - from);
    from = to + 1;
  }
  flush_log();
}

// "<wait status> <time> <log bytes lost>\n", whole or not at all.
void write_exit_record(void) {
  char text[TIME_LENGTH + 64];
  uint32_t length = put_decimal(text, (uint32_t)monitor.init_status);
  text[length++] = ' ';
  put_time(text + length);
  length += TIME_LENGTH;
  text[length++] = ' ';
  length += put_decimal(text + length, monitor.log_lost);
  text[length++] = '\n';
  (void)replace_file("exit.tmp", "exit", text, length);
}
