// The log and the exit record. The log has the form of the kubelet's and podman's log files,
//   <RFC 3339 time> <stdout|stderr> <F|P> <text>
// with P for a piece whose line goes on: every byte of the container survives, and nothing has to
// be held back until a line is complete, as JSON lines would need.
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#define BUFFER 32768
#define TIME_LENGTH 30
#define PREFIX_LENGTH (TIME_LENGTH + 10) // time, " stdout F "

static uint8_t buffer[BUFFER];
static uint32_t used;

static void put_number(char *to, uint64_t value, unsigned digits) {
  while (digits-- > 0) {
    to[digits] = (char)('0' + value % 10);
    value /= 10;
  }
}

// Days since 1970-01-01 as a date of the proleptic Gregorian calendar, counted in 400-year eras
// that begin in March so that the leap day comes last.
static void put_date(char *to, uint64_t days) {
  uint64_t shifted = days + 719468;
  uint64_t era = shifted / 146097, day = shifted % 146097;
  uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  uint64_t of_year = day - (365 * year + year / 4 - year / 100);
  uint64_t month = (5 * of_year + 2) / 153;
  put_number(to + 8, of_year - (153 * month + 2) / 5 + 1, 2);
  month = month < 10 ? month + 3 : month - 9;
  put_number(to + 5, month, 2);
  put_number(to, year + era * 400 + (month <= 2), 4);
  to[4] = to[7] = '-';
}

// Writes TIME_LENGTH bytes: 2006-01-02T15:04:05.000000000Z.
static void put_time(char *to) {
  int64_t now[2] = {0, 0};
  (void)SYS2(clock_gettime, 0, now);
  uint64_t seconds = (uint64_t)now[0];
  put_date(to, seconds / 86400);
  to[10] = 'T';
  put_number(to + 11, seconds / 3600 % 24, 2);
  to[13] = ':';
  put_number(to + 14, seconds / 60 % 60, 2);
  to[16] = ':';
  put_number(to + 17, seconds % 60, 2);
  to[19] = '.';
  put_number(to + 20, (uint64_t)now[1], 9);
  to[29] = 'Z';
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
  used = 0;
}

static void put_bytes(const void *bytes, uint32_t length) {
  if (used + length > BUFFER) flush_log();
  memcpy(buffer + used, bytes, length);
  used += length;
}

void log_output(int is_stderr, const uint8_t *bytes, uint32_t length) {
  char prefix[PREFIX_LENGTH];
  put_time(prefix);
  memcpy(prefix + TIME_LENGTH, is_stderr ? " stderr F " : " stdout F ", 10);
  uint32_t from = 0;
  while (from < length) {
    uint32_t to = from;
    while (to < length && bytes[to] != '\n') to++;
    prefix[PREFIX_LENGTH - 2] = to < length ? 'F' : 'P';
    put_bytes(prefix, sizeof prefix);
    put_bytes(bytes + from, to - from);
    put_bytes("\n", 1);
    from = to + 1;
  }
  flush_log();
}

static uint32_t put_decimal(char *to, uint64_t value) {
  unsigned digits = 1;
  for (uint64_t rest = value; rest >= 10; rest /= 10) digits++;
  put_number(to, value, digits);
  return digits;
}

// "<wait status> <time> <log bytes lost>\n", whole or not at all. Not synced: after a power cut the
// container is gone and nobody can know its status anyway.
void write_exit_record(void) {
  char text[TIME_LENGTH + 64];
  uint32_t length = put_decimal(text, (uint32_t)monitor.init_status);
  text[length++] = ' ';
  put_time(text + length);
  length += TIME_LENGTH;
  text[length++] = ' ';
  length += put_decimal(text + length, monitor.log_lost);
  text[length++] = '\n';
  int fd = (int)SYS4(openat, FD_DIRECTORY, "exit.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  long written = SYS3(write, fd, text, length);
  close_fd(&fd);
  if (written == (long)length)
    (void)SYS5(renameat2, FD_DIRECTORY, "exit.tmp", FD_DIRECTORY, "exit", 0);
}
