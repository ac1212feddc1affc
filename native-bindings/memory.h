// Memory that is never given back: for a process that ends, or executes another program, soon.
#ifndef TSRUN_MEMORY_H
#define TSRUN_MEMORY_H

#include <stddef.h>

// `length` zero bytes, 16-byte aligned, or NULL.
void *take_memory(size_t length);

// Has the kernel give the next `length` bytes of it now: for a process that has the time before it has the work.
void prepare_memory(size_t length);

#endif
