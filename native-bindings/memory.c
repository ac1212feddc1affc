// A place for the plans of one container; what does not fit gets a mapping of its own.
#include "memory.h"
#include "syscall.h"

#include <linux/mman.h>
#include <stdint.h>

#ifndef MAP_PRIVATE
#define MAP_PRIVATE 2
#endif
#define PROT_READ_WRITE 3
#define PAGE_SIZE 4096u
#define PLACE_SIZE (256u << 10)

static uint8_t place[PLACE_SIZE] __attribute__((aligned(4096)));
// Processes of one plan share their memory, this too.
static size_t taken;

void prepare_memory(size_t length) {
  // Zeros as they are, but in pages of our own: nobody has taken them.
  for (size_t at = taken; at < PLACE_SIZE && at - taken < length; at += PAGE_SIZE)
    *(volatile uint8_t *)(place + at) = 0;
}

void *take_memory(size_t length) {
  size_t rounded = (length + 15) & ~(size_t)15;
  if (rounded <= PLACE_SIZE) {
    size_t at = __atomic_load_n(&taken, __ATOMIC_RELAXED);
    while (rounded <= PLACE_SIZE - at)
      if (__atomic_compare_exchange_n(&taken, &at, at + rounded, 0, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED))
        return place + at;
  }
  long address = SYS6(mmap, 0, length, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return address < 0 && address > -4096 ? NULL : (void *)address;
}
