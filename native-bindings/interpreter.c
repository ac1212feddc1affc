// The dumb loop: runs a verified plan, one instruction after the other, forward only.
#include "executor.h"
#include "freestanding.h"
#include "syscall.h"

#include <linux/errno.h>

static int64_t operand(const struct plan *plan, const struct instruction *instruction, unsigned i) {
  uint64_t value = instruction->operands[i];
  switch (instruction->kinds[i]) {
    case KIND_SLOT:
      return plan->slots[value];
    case KIND_DATA:
      return (int64_t)(uintptr_t)(plan->data + (value & 0xffffffffu));
    default:
      return (int64_t)value;
  }
}

static int is_tolerated(const struct instruction *instruction, int error) {
  for (unsigned i = 0; i < TOLERATED; i++)
    if (instruction->tolerated[i] == error || instruction->tolerated[i] == TOLERATE_ALL) return 1;
  return 0;
}

// A call that a signal interrupted is made again, except close(2): its descriptor is gone already.
static int64_t call_kernel(const struct plan *plan, const struct instruction *instruction) {
  long result;
  do {
    result = raw_syscall(instruction->number, operand(plan, instruction, 0),
                         operand(plan, instruction, 1), operand(plan, instruction, 2),
                         operand(plan, instruction, 3), operand(plan, instruction, 4),
                         operand(plan, instruction, 5));
  } while (result == -EINTR && instruction->number != __NR_close);
  return result;
}

static int op_sys(const struct plan *plan, const struct instruction *instruction) {
  int64_t result = call_kernel(plan, instruction);
  if (instruction->result != NO_SLOT) plan->slots[instruction->result] = result;
  if (result >= 0 || result < -4095) return 0;
  return is_tolerated(instruction, (int)-result) ? 0 : (int)-result;
}

static int holds(uint8_t condition, int64_t left, int64_t right) {
  switch (condition) {
    case COND_EQ:
      return left == right;
    case COND_NE:
      return left != right;
    case COND_LT:
      return left < right;
    case COND_LE:
      return left <= right;
    case COND_GT:
      return left > right;
    default:
      return left >= right;
  }
}

// Wraps around as unsigned arithmetic does; shifts take their count modulo 64.
static uint64_t compute(uint8_t operator, uint64_t left, uint64_t right) {
  switch (operator) {
    case OPERATOR_ADD:
      return left + right;
    case OPERATOR_SUB:
      return left - right;
    case OPERATOR_AND:
      return left & right;
    case OPERATOR_OR:
      return left | right;
    case OPERATOR_SHL:
      return left << (right & 63);
    case OPERATOR_SHR:
      return left >> (right & 63);
    default:
      return left;
  }
}

static void op_compute(const struct plan *plan, const struct instruction *instruction) {
  uint64_t value = compute(instruction->aux, (uint64_t)operand(plan, instruction, 0),
                           (uint64_t)operand(plan, instruction, 1));
  plan->slots[instruction->result] = (int64_t)value;
}

static void op_load(const struct plan *plan, const struct instruction *instruction) {
  uint64_t value = 0;
  memcpy(&value, plan->data + (instruction->operands[0] & 0xffffffffu), instruction->aux);
  plan->slots[instruction->result] = (int64_t)value;
}

static void op_store(const struct plan *plan, const struct instruction *instruction) {
  int64_t value = operand(plan, instruction, 1);
  memcpy(plan->data + (instruction->operands[0] & 0xffffffffu), &value, instruction->aux);
}

// What is not an errno of either sign would be read as another report or another instruction.
static int op_fail(const struct plan *plan, const struct instruction *instruction) {
  int64_t error = operand(plan, instruction, 0);
  if (error < -4095 || error > 4095) return EINVAL;
  return (int)(error < 0 ? -error : error);
}

static void relocate(const struct plan *plan) {
  for (uint32_t i = 0; i < plan->relocation_count; i++) {
    uint64_t address = (uint64_t)(uintptr_t)(plan->data + plan->relocations[i].target);
    memcpy(plan->data + plan->relocations[i].at, &address, sizeof address);
  }
}

void begin_plan(const struct plan *plan, int first_descriptor) {
  relocate(plan);
  for (unsigned i = 0; i < plan->slot_count; i++)
    plan->slots[i] = i < plan->descriptor_count ? first_descriptor + (int)i : -1;
}

struct outcome run_plan(const struct plan *plan, int first_descriptor) {
  begin_plan(plan, first_descriptor);
  return continue_plan(plan, 0);
}

enum refusal extend_plan(const struct plan *plan, uint32_t pc, const struct plan *longer) {
  if (longer->instruction_count <= pc || longer->data_length < plan->data_length ||
      longer->slot_count < plan->slot_count || longer->descriptor_count != plan->descriptor_count)
    return REFUSED_LENGTH;
  memcpy(longer->data, plan->data, plan->data_length);
  relocate(longer);
  for (unsigned i = 0; i < longer->slot_count; i++)
    longer->slots[i] = i < plan->slot_count ? plan->slots[i] : -1;
  return REFUSED_NOTHING;
}

struct outcome continue_plan(const struct plan *plan, uint32_t pc) {
  struct outcome outcome = {0};
  while (pc < plan->instruction_count) {
    const struct instruction *instruction = &plan->instructions[pc];
    uint32_t next = pc + 1;
    switch (instruction->opcode) {
      case OP_SYS:
        outcome.error = op_sys(plan, instruction);
        outcome.failed = outcome.error != 0;
        break;
      case OP_BRANCH:
        if (holds(instruction->aux, operand(plan, instruction, 0), operand(plan, instruction, 1)))
          next = (uint32_t)instruction->operands[2];
        break;
      case OP_COMPUTE:
        op_compute(plan, instruction);
        break;
      case OP_LOAD:
        op_load(plan, instruction);
        break;
      case OP_STORE:
        op_store(plan, instruction);
        break;
      case OP_FAIL:
        outcome.error = op_fail(plan, instruction);
        outcome.failed = 1;
        break;
      default: // OP_EXIT, OP_EXTEND and OP_CLONE
        outcome.extended = instruction->opcode == OP_EXTEND;
        outcome.cloned = instruction->opcode == OP_CLONE;
        outcome.status = (int)operand(plan, instruction, 0);
        outcome.pc = pc;
        return outcome;
    }
    if (outcome.failed) {
      outcome.pc = pc;
      return outcome;
    }
    pc = next;
  }
  outcome.pc = pc;
  return outcome;
}
