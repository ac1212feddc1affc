// The rules of wire-format.h a second time, from the text alone: what verify_plan accepts must be
// exactly what these accept.
#include "fuzz.h"

uint16_t read16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

uint32_t read32(const uint8_t *at) { return read16(at) | (uint32_t)read16(at + 2) << 16; }

uint64_t read64(const uint8_t *at) { return read32(at) | (uint64_t)read32(at + 4) << 32; }

static int operand_is_valid(const struct sections *s, unsigned kind, const uint8_t *value) {
  if (kind == 0) return 1;
  if (kind == 1) return read64(value) < s->slot_count;
  return kind == 2 && (uint64_t)read32(value) + read32(value + 4) <= s->data_length;
}

static int is_unused(const uint8_t *instruction, unsigned first) {
  for (unsigned i = first; i < 6; i++)
    if (instruction[4 + i] != 0 || read64(instruction + 24 + 8 * i) != 0) return 0;
  return 1;
}

static int is_width(const uint8_t *instruction) {
  unsigned width = instruction[1];
  if (width == 0 || width > 8 || (width & (width - 1)) != 0) return 0;
  return instruction[4] == 2 && read32(instruction + 28) >= width;
}

static int flow_is_valid(const struct sections *s, const uint8_t *instruction, uint64_t pc) {
  unsigned opcode = instruction[0], aux = instruction[1];
  int has_result = read16(instruction + 2) != 0xffff;
  for (unsigned at = 10; at < 24; at++)
    if (instruction[at] != 0) return 0;
  if ((opcode == 3 || opcode == 4 || opcode == 9) != has_result) return 0;
  if (opcode == 2) {
    uint64_t target = read64(instruction + 40);
    return aux >= 1 && aux <= 6 && instruction[6] == 0 && target > pc &&
           target <= s->instruction_count && is_unused(instruction, 3);
  }
  if (opcode == 3) return aux >= 1 && aux <= 7 && is_unused(instruction, aux == 1 ? 1 : 2);
  if (opcode == 4) return is_width(instruction) && is_unused(instruction, 1);
  if (opcode == 5) return is_width(instruction) && is_unused(instruction, 2);
  if (opcode == 9)
    return aux == 0 && instruction[4] == 2 && read32(instruction + 28) >= 88 &&
           is_unused(instruction, 1);
  return opcode >= 6 && opcode <= 8 && aux == 0 && is_unused(instruction, 1);
}

static int instruction_is_valid(const struct sections *s, uint64_t pc) {
  const uint8_t *instruction = s->instructions + 72 * pc;
  uint16_t result = read16(instruction + 2);
  if (result != 0xffff && result >= s->slot_count) return 0;
  for (unsigned i = 0; i < 6; i++)
    if (!operand_is_valid(s, instruction[4 + i], instruction + 24 + 8 * i)) return 0;
  if (instruction[0] == 1) return instruction[1] == 0;
  return flow_is_valid(s, instruction, pc);
}

static int layout_is_valid(const uint8_t *image, size_t length, struct sections *s) {
  if (length < 32 || read32(image) != 0x50525354 || read16(image + 4) != 1) return 0;
  s->slot_count = read16(image + 6);
  s->instruction_count = read32(image + 12);
  s->relocation_count = read32(image + 16);
  s->data_length = read32(image + 20);
  s->descriptor_count = read16(image + 24);
  if (read32(image + 8) != length || read16(image + 26) != 0 || read32(image + 28) != 0) return 0;
  if (s->slot_count == 0xffff || s->descriptor_count > s->slot_count) return 0;
  __uint128_t rest = length - 32;
  __uint128_t padded = ((__uint128_t)s->data_length + 7) / 8 * 8;
  __uint128_t needed = (__uint128_t)72 * s->instruction_count +
                       (__uint128_t)8 * s->relocation_count + padded +
                       (__uint128_t)8 * s->slot_count;
  if (needed != rest) return 0;
  s->instructions = image + 32;
  s->relocations = s->instructions + 72 * s->instruction_count;
  s->data = s->relocations + 8 * s->relocation_count;
  s->slots = s->data + (size_t)padded;
  return 1;
}

int image_is_valid(const uint8_t *image, size_t length, struct sections *sections) {
  if (!layout_is_valid(image, length, sections)) return 0;
  for (uint64_t i = 0; i < sections->relocation_count; i++) {
    uint32_t at = read32(sections->relocations + 8 * i);
    uint32_t target = read32(sections->relocations + 8 * i + 4);
    if (at % 8 != 0 || (uint64_t)at + 8 > sections->data_length) return 0;
    if (target > sections->data_length) return 0;
  }
  for (uint64_t pc = 0; pc < sections->instruction_count; pc++)
    if (!instruction_is_valid(sections, pc)) return 0;
  return 1;
}
