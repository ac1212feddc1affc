// What happens at a time of its own: at most one deadline for each purpose.
#include "monitor.h"

#define CLOCK_MONOTONIC_ID 1

uint64_t now_ms(void) {
  int64_t now[2] = {0, 0};
  (void)SYS2(clock_gettime, CLOCK_MONOTONIC_ID, now);
  return (uint64_t)now[0] * 1000 + (uint64_t)now[1] / 1000000;
}

void set_timer(enum timer timer, uint64_t delay_ms) {
  monitor.deadlines[timer] = now_ms() + delay_ms;
}

// True once for each time that the timer was set.
int is_due(enum timer timer) {
  if (monitor.deadlines[timer] == 0 || now_ms() < monitor.deadlines[timer]) return 0;
  monitor.deadlines[timer] = 0;
  return 1;
}

// Until something is due; -1 when nothing is set.
int64_t next_timeout_ms(void) {
  uint64_t first = first_stall();
  for (int i = 0; i < TIMER_COUNT; i++)
    if (monitor.deadlines[i] != 0 && (first == 0 || monitor.deadlines[i] < first))
      first = monitor.deadlines[i];
  if (first == 0) return -1;
  uint64_t now = now_ms();
  return first > now ? (int64_t)(first - now) : 0;
}

// Our own child that we have not reaped: its pid is nobody else's.
void kill_init(int signal) {
  if (signal == SIGKILL_NUMBER) monitor.must_die = 1;
  if (monitor.init_pid > 0 && !monitor.init_ended) (void)SYS2(kill, monitor.init_pid, signal);
}
