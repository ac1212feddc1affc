// A checked plan in memory, and the two steps that make and run it.
#ifndef TSRUN_EXECUTOR_H
#define TSRUN_EXECUTOR_H

#include "wire-format.h"

struct plan {
  const struct instruction *instructions;
  const struct relocation *relocations;
  uint8_t *data;
  int64_t *slots;
  uint32_t instruction_count;
  uint32_t relocation_count;
  uint32_t data_length;
  uint16_t slot_count;
  uint16_t descriptor_count;
};

enum refusal {
  REFUSED_NOTHING = 0,
  REFUSED_HEADER,
  REFUSED_LENGTH,
  REFUSED_OPCODE,
  REFUSED_AUX,
  REFUSED_RESULT,
  REFUSED_OPERAND,
  REFUSED_TARGET,
  REFUSED_RELOCATION,
  REFUSED_RESERVED,
};

// Checks every index, offset and length of the image of `length` bytes at the 8-byte aligned
// `image` and fills `plan` with pointers into it. Writes nothing to the image. On a refusal
// `*pc` is the offending instruction, or PC_REFUSED when it is not about one.
enum refusal verify_plan(uint8_t *image, size_t length, struct plan *plan, uint32_t *pc);

// How a plan ended.
struct outcome {
  int failed;
  uint32_t pc;
  int error;    // errno of the failed instruction, positive
  int status;   // of OP_EXIT, 0 when the plan ran to its end; of OP_EXTEND, the descriptor
  int extended; // stopped at OP_EXTEND
  int cloned;   // stopped at OP_CLONE
};

// Applies the relocations and sets all slots to -1 except the descriptors (first_descriptor, +1, …).
// `plan` must come from verify_plan.
void begin_plan(const struct plan *plan, int first_descriptor);

// Begins the plan and runs its instructions in order.
struct outcome run_plan(const struct plan *plan, int first_descriptor);

// Makes `plan`, which stopped at OP_EXTEND or OP_CLONE in instruction `pc`, go on as `longer`: hands over data
// and slots, and applies the relocations. Refused is one that is shorter. Both come from verify_plan.
enum refusal extend_plan(const struct plan *plan, uint32_t pc, const struct plan *longer);

// Runs the instructions from `pc` on.
struct outcome continue_plan(const struct plan *plan, uint32_t pc);

#endif
