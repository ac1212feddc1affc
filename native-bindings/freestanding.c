#include "freestanding.h"

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  char *target = to;
  const char *source = from;
  for (size_t i = 0; i < length; i++) target[i] = source[i];
  return to;
}

void *memset(void *to, int byte, size_t length) {
  char *target = to;
  for (size_t i = 0; i < length; i++) target[i] = (char)byte;
  return to;
}
