// What a program without libc must bring itself: the names gcc emits calls to.
#ifndef TSRUN_FREESTANDING_H
#define TSRUN_FREESTANDING_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memset(void *to, int byte, size_t length);

#endif
