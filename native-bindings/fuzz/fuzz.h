// The mutation fuzz of the plan loader and interpreter: what its parts share.
#ifndef TSRUN_FUZZ_H
#define TSRUN_FUZZ_H

#include "executor.h"

#define MAX_IMAGE (1u << 20)

struct image {
  uint8_t *bytes;
  size_t length;
};

// random.c: one deterministic stream for each iteration, so that any iteration replays alone.
void seed_random(uint64_t seed, uint64_t iteration);
uint64_t random_bits(void);
uint64_t random_below(uint64_t limit);

// mutate.c: makes a plan in `out` (MAX_IMAGE bytes of room) from the seeds.
size_t mutate(uint8_t *out, const struct image *seeds, size_t seed_count);

// wire.c: the wire format read byte by byte, independently of the structs that the loader uses.
struct sections {
  uint64_t instruction_count, relocation_count, data_length, slot_count, descriptor_count;
  const uint8_t *instructions, *relocations, *data, *slots;
};
uint16_t read16(const uint8_t *at);
uint32_t read32(const uint8_t *at);
uint64_t read64(const uint8_t *at);
int image_is_valid(const uint8_t *image, size_t length, struct sections *sections);

// model.c: a second interpreter that goes in lockstep with run_plan and stands in for the kernel.
struct totals {
  uint64_t steps, calls, restarts, failed, exited, ended;
};
extern struct totals totals;
void start_model(uint8_t *image, const struct sections *sections, int descriptor);
void finish_model(const struct outcome *outcome);

// fuzz-plan.c
_Noreturn void violation(const char *what);

#endif
