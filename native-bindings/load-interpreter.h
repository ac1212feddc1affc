#ifndef TSRUN_LOAD_INTERPRETER_H
#define TSRUN_LOAD_INTERPRETER_H

#include <stdint.h>

struct loaded {
  uint64_t base;
  uint64_t entry;
};

// Maps the dynamic loader at `path` as execve(2) does for a PT_INTERP (elf(5)), in pages of `page` bytes.
// Returns 0 or -errno.
int load_interpreter(const char *path, uint64_t page, struct loaded *loaded);

#endif
