// The loader's half that says no: a plan is refused whole before its first side effect.
#include "executor.h"

static int is_zero(const struct instruction *instruction, unsigned first_operand) {
  for (unsigned i = first_operand; i < OPERANDS; i++)
    if (instruction->kinds[i] != 0 || instruction->operands[i] != 0) return 0;
  return 1;
}

static int tolerates_nothing(const struct instruction *instruction) {
  for (unsigned i = 0; i < TOLERATED; i++)
    if (instruction->tolerated[i] != 0) return 0;
  return 1;
}

static int operand_fits(const struct plan *plan, const struct instruction *instruction,
                        unsigned i) {
  uint64_t value = instruction->operands[i];
  switch (instruction->kinds[i]) {
    case KIND_IMMEDIATE:
      return 1;
    case KIND_SLOT:
      return value < plan->slot_count;
    case KIND_DATA: {
      uint64_t offset = value & 0xffffffffu, extent = value >> 32;
      return offset + extent <= plan->data_length;
    }
    default:
      return 0;
  }
}

static int width_fits(const struct instruction *instruction) {
  uint8_t width = instruction->aux;
  if (width != 1 && width != 2 && width != 4 && width != 8) return 0;
  return instruction->kinds[0] == KIND_DATA && (instruction->operands[0] >> 32) >= width;
}

static enum refusal verify_sys(const struct instruction *instruction) {
  return instruction->aux == 0 ? REFUSED_NOTHING : REFUSED_AUX;
}

static enum refusal verify_branch(const struct plan *plan, const struct instruction *instruction,
                                  uint32_t pc) {
  if (instruction->aux < COND_EQ || instruction->aux > COND_LAST) return REFUSED_AUX;
  if (instruction->kinds[2] != KIND_IMMEDIATE) return REFUSED_TARGET;
  uint64_t target = instruction->operands[2];
  if (target <= pc || target > plan->instruction_count) return REFUSED_TARGET;
  return is_zero(instruction, 3) ? REFUSED_NOTHING : REFUSED_RESERVED;
}

static enum refusal verify_compute(const struct instruction *instruction) {
  if (instruction->aux < OPERATOR_SET || instruction->aux > OPERATOR_LAST) return REFUSED_AUX;
  if (instruction->aux == OPERATOR_SET && !is_zero(instruction, 1)) return REFUSED_RESERVED;
  return is_zero(instruction, 2) ? REFUSED_NOTHING : REFUSED_RESERVED;
}

static enum refusal verify_memory(const struct instruction *instruction, unsigned operands) {
  if (!width_fits(instruction)) return REFUSED_AUX;
  return is_zero(instruction, operands) ? REFUSED_NOTHING : REFUSED_RESERVED;
}

static enum refusal verify_end(const struct instruction *instruction) {
  if (instruction->aux != 0) return REFUSED_AUX;
  return is_zero(instruction, 1) ? REFUSED_NOTHING : REFUSED_RESERVED;
}

static enum refusal verify_clone(const struct instruction *instruction) {
  if (instruction->aux != 0) return REFUSED_AUX;
  if (instruction->kinds[0] != KIND_DATA || (instruction->operands[0] >> 32) < CLONE_ARGS_LENGTH)
    return REFUSED_OPERAND;
  return is_zero(instruction, 1) ? REFUSED_NOTHING : REFUSED_RESERVED;
}

static int must_have_result(uint8_t opcode) {
  return opcode == OP_COMPUTE || opcode == OP_LOAD || opcode == OP_CLONE;
}

static enum refusal verify_instruction(const struct plan *plan, uint32_t pc) {
  const struct instruction *instruction = &plan->instructions[pc];
  for (unsigned i = 0; i < OPERANDS; i++)
    if (!operand_fits(plan, instruction, i)) return REFUSED_OPERAND;
  int has_result = instruction->result != NO_SLOT;
  if (has_result && instruction->result >= plan->slot_count) return REFUSED_RESULT;
  int must_have = must_have_result(instruction->opcode);
  if (has_result ? !must_have && instruction->opcode != OP_SYS : must_have) return REFUSED_RESULT;
  if (instruction->opcode != OP_SYS &&
      (instruction->number != 0 || !tolerates_nothing(instruction)))
    return REFUSED_RESERVED;
  switch (instruction->opcode) {
    case OP_SYS:
      return verify_sys(instruction);
    case OP_BRANCH:
      return verify_branch(plan, instruction, pc);
    case OP_COMPUTE:
      return verify_compute(instruction);
    case OP_LOAD:
      return verify_memory(instruction, 1);
    case OP_STORE:
      return verify_memory(instruction, 2);
    case OP_FAIL:
    case OP_EXIT:
    case OP_EXTEND:
      return verify_end(instruction);
    case OP_CLONE:
      return verify_clone(instruction);
    default:
      return REFUSED_OPCODE;
  }
}

// Empty bytes at the end of the data have an address too, as an operand with extent 0 has.
static int relocation_fits(const struct plan *plan, const struct relocation *relocation) {
  return relocation->at % 8 == 0 && (uint64_t)relocation->at + 8 <= plan->data_length &&
         relocation->target <= plan->data_length;
}

// Lays the sections out; the sums cannot overflow in 64 bits.
static enum refusal verify_header(uint8_t *image, size_t length, struct plan *plan) {
  const struct plan_header *header = (const struct plan_header *)image;
  if (length < sizeof *header || length > PLAN_MAX_LENGTH) return REFUSED_LENGTH;
  if (header->magic != PLAN_MAGIC || header->version != PLAN_VERSION) return REFUSED_HEADER;
  if (header->reserved16 != 0 || header->reserved32 != 0) return REFUSED_RESERVED;
  if (header->descriptor_count > header->slot_count || header->slot_count == NO_SLOT)
    return REFUSED_HEADER;
  uint64_t instructions = sizeof *header;
  uint64_t relocations =
      instructions + (uint64_t)header->instruction_count * sizeof(struct instruction);
  uint64_t data = relocations + (uint64_t)header->relocation_count * sizeof(struct relocation);
  uint64_t slots = data + (((uint64_t)header->data_length + 7) & ~UINT64_C(7));
  uint64_t end = slots + (uint64_t)header->slot_count * 8;
  if (end != length || header->total_length != length) return REFUSED_LENGTH;
  plan->instructions = (const struct instruction *)(image + instructions);
  plan->relocations = (const struct relocation *)(image + relocations);
  plan->data = image + data;
  plan->slots = (int64_t *)(image + slots);
  plan->instruction_count = header->instruction_count;
  plan->relocation_count = header->relocation_count;
  plan->data_length = header->data_length;
  plan->slot_count = header->slot_count;
  plan->descriptor_count = header->descriptor_count;
  return REFUSED_NOTHING;
}

enum refusal verify_plan(uint8_t *image, size_t length, struct plan *plan, uint32_t *pc) {
  *pc = PC_REFUSED;
  enum refusal refusal = verify_header(image, length, plan);
  if (refusal != REFUSED_NOTHING) return refusal;
  for (uint32_t i = 0; i < plan->relocation_count; i++)
    if (!relocation_fits(plan, &plan->relocations[i])) return REFUSED_RELOCATION;
  for (uint32_t i = 0; i < plan->instruction_count; i++) {
    refusal = verify_instruction(plan, i);
    if (refusal != REFUSED_NOTHING) {
      *pc = i;
      return refusal;
    }
  }
  return REFUSED_NOTHING;
}
