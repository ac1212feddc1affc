// The kernel's stand-in and a second interpreter, written from wire-format.h's text. run_plan calls
// the stand-in; that moves the model to its next system call and holds the two against each other.
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define MAX_RESTARTS 3

struct totals totals;

static struct {
  struct sections s;
  uint8_t *real_data; // what run_plan works on: its address is what operands see
  uint8_t *data;      // the model's own copies
  int64_t *slots;
  uint64_t pc, steps, calls;
  unsigned restarts; // how often the current call was interrupted
  int is_over, failed, error, status, extended, cloned;
  uint64_t end_pc;
} model;

static const uint8_t *current(void) { return model.s.instructions + 72 * model.pc; }

static int64_t value_of(const uint8_t *instruction, unsigned i) {
  const uint8_t *value = instruction + 24 + 8 * i;
  if (instruction[4 + i] == 1) return model.slots[read32(value)];
  if (instruction[4 + i] == 2) return (int64_t)(uintptr_t)(model.real_data + read32(value));
  return (int64_t)read64(value);
}

static void end(int failed, int error, int status) {
  model.is_over = 1;
  model.end_pc = model.pc;
  model.failed = failed;
  model.error = error;
  model.status = status;
}

static void go_to(uint64_t pc) {
  if (pc <= model.pc) violation("the plan goes backwards");
  model.pc = pc;
  if (++model.steps > model.s.instruction_count) violation("more steps than instructions");
  totals.steps++;
  if (pc == model.s.instruction_count) end(0, 0, 0);
}

static int holds(unsigned condition, int64_t left, int64_t right) {
  int order = (left > right) - (left < right);
  const int wanted[6][3] = {{0, 1, 0}, {1, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 0, 1}, {0, 1, 1}};
  return wanted[condition - 1][order + 1];
}

static int64_t computed(unsigned operator, uint64_t left, uint64_t right) {
  const uint64_t results[7] = {
      left,         left + right,         left + ~right + 1,   left & right,
      left | right, left << (right % 64), left >> (right % 64)};
  return (int64_t)results[operator - 1];
}

static void step_flow(const uint8_t *instruction) {
  unsigned opcode = instruction[0], aux = instruction[1];
  int64_t left = value_of(instruction, 0), right = value_of(instruction, 1);
  uint8_t *place = model.data + read32(instruction + 24);
  uint64_t loaded = 0;
  if (opcode == 2) {
    go_to(holds(aux, left, right) ? read64(instruction + 40) : model.pc + 1);
    return;
  }
  if (opcode == 6) {
    int64_t magnitude = left < 0 ? -(left + 1) : left;
    end(1, magnitude > 4095 || left == -4096 ? EINVAL : abs((int)left), 0);
    return;
  }
  if (opcode >= 7) {
    end(0, 0, (int)left);
    model.extended = opcode == 8;
    model.cloned = opcode == 9;
    return;
  }
  if (opcode == 3)
    model.slots[read16(instruction + 2)] = computed(aux, (uint64_t)left, (uint64_t)right);
  if (opcode == 4) {
    for (unsigned i = aux; i-- > 0;) loaded = loaded << 8 | place[i];
    model.slots[read16(instruction + 2)] = (int64_t)loaded;
  }
  if (opcode == 5)
    for (unsigned i = 0; i < aux; i++) place[i] = (uint8_t)((uint64_t)right >> 8 * i);
  go_to(model.pc + 1);
}

static void advance_to_call(void) {
  while (!model.is_over && current()[0] != 1) step_flow(current());
}

// Touches all bytes that the plan says the call may touch, as a kernel would; both copies alike.
static void touch_extent(uint32_t offset, uint32_t extent) {
  static volatile uint8_t seen;
  if ((uint64_t)offset + extent > model.s.data_length)
    violation("an extent leaves the data segment");
  int is_written = (random_bits() & 3) == 0;
  for (uint64_t i = 0; i < extent; i++) {
    seen = model.real_data[offset + i];
    if (seen != model.data[offset + i]) violation("the data differs before a call");
    if (is_written) model.real_data[offset + i] = model.data[offset + i] = (uint8_t)random_bits();
  }
}

static long random_result(void) {
  switch (random_below(16)) {
    case 0:
      return -(long)(1 + random_below(4095));
    case 1:
      return random_below(2) ? -4095 : -4096;
    case 2:
      return (long)random_bits();
    case 3:
      return -EINTR;
    case 4:
      return random_below(2) ? -ENOENT : -EEXIST;
    case 5:
      return -(long)(1 + random_below(40));
    default:
      return (long)random_below(64);
  }
}

static void take_result(const uint8_t *instruction, int64_t result) {
  uint16_t slot = read16(instruction + 2);
  if (slot != 0xffff) model.slots[slot] = result;
  int is_error = result >= -4095 && result <= -1;
  for (unsigned i = 0; i < 6; i++) {
    uint16_t tolerated = read16(instruction + 12 + 2 * i);
    if (tolerated == 0xffff || tolerated == -result) is_error = 0;
  }
  model.restarts = 0;
  if (is_error) {
    end(1, (int)-result, 0);
  } else {
    go_to(model.pc + 1);
  }
}

long raw_syscall(long number, long a, long b, long c, long d, long e, long f);

long raw_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const long operands[6] = {a, b, c, d, e, f};
  if (model.restarts == 0) advance_to_call();
  if (model.is_over) violation("a system call after the end");
  if (++model.calls > (MAX_RESTARTS + 1) * model.s.instruction_count) violation("too many calls");
  totals.calls++;
  const uint8_t *instruction = current();
  if (number != read16(instruction + 10)) violation("another system call than the plan's");
  for (unsigned i = 0; i < 6; i++)
    if (operands[i] != value_of(instruction, i)) violation("another operand than the plan's");
  for (unsigned i = 0; i < 6; i++)
    if (instruction[4 + i] == 2)
      touch_extent(read32(instruction + 24 + 8 * i), read32(instruction + 28 + 8 * i));
  long result = random_result();
  if (result == -EINTR && number != SYS_close && model.restarts == MAX_RESTARTS) result = 0;
  if (result == -EINTR && number != SYS_close) {
    model.restarts++;
    totals.restarts++;
    return result;
  }
  take_result(instruction, result);
  return result;
}

void start_model(uint8_t *image, const struct sections *sections, int descriptor) {
  memset(&model, 0, sizeof model);
  model.s = *sections;
  model.real_data = image + (sections->data - image);
  model.data = malloc(sections->data_length + 1);
  model.slots = calloc(sections->slot_count + 1, sizeof *model.slots);
  if (model.data == NULL || model.slots == NULL) abort();
  memcpy(model.data, sections->data, sections->data_length);
  for (uint64_t i = 0; i < sections->relocation_count; i++) {
    uint64_t address = (uintptr_t)model.real_data + read32(sections->relocations + 8 * i + 4);
    uint8_t *place = model.data + read32(sections->relocations + 8 * i);
    for (unsigned k = 0; k < 8; k++) place[k] = (uint8_t)(address >> 8 * k);
  }
  for (uint64_t i = 0; i < sections->slot_count; i++)
    model.slots[i] = i < sections->descriptor_count ? descriptor + (int)i : -1;
  if (sections->instruction_count == 0) end(0, 0, 0);
}

void finish_model(const struct outcome *outcome) {
  advance_to_call();
  if (!model.is_over) violation("the plan ends before a system call");
  if (outcome->failed != model.failed || outcome->error != model.error ||
      outcome->status != model.status || outcome->pc != model.end_pc ||
      outcome->extended != model.extended || outcome->cloned != model.cloned)
    violation("another outcome than the model's");
  if (memcmp(model.data, model.real_data, model.s.data_length) != 0) violation("other data");
  if (memcmp(model.slots, model.s.slots, model.s.slot_count * 8) != 0) violation("other slots");
  totals.failed += (uint64_t)model.failed;
  if (!model.failed)
    (*(model.end_pc == model.s.instruction_count ? &totals.ended : &totals.exited))++;
  free(model.data);
  free(model.slots);
}
