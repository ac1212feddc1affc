// The file `health` in the container's folder, which src/monitor/health-file.ts reads:
//   <health> <failing streak>\n
// and for each of the last results
//   <start> <end> <exit code, 256 for none> <errno> <length>\n<output>\n
#include "monitor.h"

#define LINE 128
#define NO_CODE 256

static uint8_t text[LINE + MAX_CHECK_RESULTS * (LINE + MAX_CHECK_OUTPUT + 1)];
static uint32_t length;

static void put(const void *bytes, uint32_t count) {
  memcpy(text + length, bytes, count);
  length += count;
}

static void put_field(uint64_t value, char end) {
  char digits[20];
  put(digits, put_decimal(digits, value));
  put(&end, 1);
}

void write_health(enum health health, uint32_t streak, const struct check_result *results,
                  uint32_t count) {
  length = 0;
  put_field(health, ' ');
  put_field(streak, '\n');
  for (uint32_t i = 0; i < count; i++) {
    const struct check_result *result = &results[i];
    put(result->started, TIME_LENGTH);
    put(" ", 1);
    put(result->ended, TIME_LENGTH);
    put(" ", 1);
    put_field(result->code < 0 ? NO_CODE : (uint64_t)result->code, ' ');
    put_field((uint64_t)result->error, ' ');
    put_field(result->length, '\n');
    put(result->output, result->length);
    put("\n", 1);
  }
  (void)replace_file("health.tmp", "health", text, length);
}
