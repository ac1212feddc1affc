// Numbers and times as text, and files that are replaced as a whole.
#include "monitor.h"

#include <linux/fcntl.h>

void put_number(char *to, uint64_t value, unsigned digits) {
  while (digits-- > 0) {
    to[digits] = (char)('0' + value % 10);
    value /= 10;
  }
}

uint32_t put_decimal(char *to, uint64_t value) {
  unsigned digits = 1;
  for (uint64_t rest = value; rest >= 10; rest /= 10) digits++;
  put_number(to, value, digits);
  return digits;
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
void put_time(char *to) {
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

// Makes `name` in the container's folder hold these bytes, or leaves what was there; returns 0 or -1.
// Not synced: after a power cut the container is gone.
int replace_file(const char *draft, const char *name, const void *bytes, uint32_t length) {
  int fd = (int)SYS4(openat, FD_DIRECTORY, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  long written = SYS3(write, fd, bytes, length);
  close_fd(&fd);
  if (written != (long)length) return -1;
  return SYS5(renameat2, FD_DIRECTORY, draft, FD_DIRECTORY, name, 0) < 0 ? -1 : 0;
}
