// Structure-aware mutations: most results must stay close enough to a plan to get past the header.
#include "fuzz.h"

#include <string.h>

#define HEADER 32
#define RECORD 72

static uint8_t *image;
static size_t length;
static const struct image *all_seeds;
static size_t all_seed_count;

static const uint64_t boundaries[] = {
    0,       1,          2,          3,          5,          7,          8,          9,
    0x7f,    0x80,       0xff,       0x100,      0x7fff,     0x8000,     0xfffe,     0xffff,
    0x10000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff, 1ull << 32, 1ull << 63, ~0ull};

static uint64_t boundary(void) {
  return boundaries[random_below(sizeof boundaries / sizeof boundaries[0])];
}

static void write_bytes(size_t at, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; i++)
    if (at + i < length) image[at + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t read_bytes(size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;)
    if (at + i < length) value = value << 8 | image[at + i];
  return value;
}

// A value near the old one, near a limit of the plan, or anything.
static uint64_t new_value(uint64_t old) {
  switch (random_below(6)) {
    case 0:
      return old + 1;
    case 1:
      return old - 1;
    case 2:
      return boundary();
    case 3:
      return random_bits();
    case 4:
      return read_bytes(4 * random_below(8), 4) + random_below(3) - 1;
    default:
      return random_below(16);
  }
}

static void edit(size_t at, size_t width) {
  write_bytes(at, new_value(read_bytes(at, width)), width);
}

static size_t instruction_count(void) {
  uint64_t claimed = read_bytes(12, 4), room = length < HEADER ? 0 : (length - HEADER) / RECORD;
  return (size_t)(claimed < room ? claimed : room);
}

static size_t random_instruction(void) {
  return HEADER + RECORD * random_below(instruction_count());
}

static void flip_bits(void) {
  for (uint64_t i = random_below(8) + 1; i > 0; i--)
    if (length > 0) image[random_below(length)] ^= (uint8_t)(1u << random_below(8));
}

static void edit_header(void) {
  static const uint8_t fields[][2] = {{0, 4},  {4, 2},  {6, 2},  {8, 4},  {12, 4},
                                      {16, 4}, {20, 4}, {24, 2}, {26, 2}, {28, 4}};
  const uint8_t *field = fields[random_below(sizeof fields / sizeof fields[0])];
  edit(field[0], field[1]);
}

static void edit_instruction(void) {
  static const uint8_t fields[][2] = {{0, 1},  {1, 1},  {2, 2},  {4, 1},  {5, 1},  {6, 1},  {7, 1},
                                      {9, 1},  {10, 2}, {12, 2}, {22, 2}, {24, 4}, {28, 4}, {32, 4},
                                      {36, 4}, {40, 4}, {44, 4}, {48, 8}, {64, 8}};
  const uint8_t *field = fields[random_below(sizeof fields / sizeof fields[0])];
  edit(random_instruction() + field[0], field[1]);
}

static void edit_relocation(void) {
  uint64_t data_length = read_bytes(20, 4);
  size_t at = HEADER + RECORD * instruction_count() + 8 * random_below(read_bytes(16, 4));
  switch (random_below(3)) {
    case 0: // around the last eight bytes
      write_bytes(at, data_length - data_length % 8 - 8 * random_below(3), 4);
      break;
    case 1:
      write_bytes(at + 4, data_length + random_below(3) - 1, 4);
      break;
    default:
      edit(at + 4 * random_below(2), 4);
  }
}

// An extent that ends at, just before or just behind the end of the data segment.
static void edit_extent(void) {
  size_t at = random_instruction(), operand = random_below(OPERANDS);
  uint64_t data_length = read_bytes(20, 4);
  uint64_t offset = random_below(data_length + 2);
  uint64_t extent = data_length - offset + random_below(3) - 1;
  if (random_below(4) == 0) extent = boundary() - offset;
  image[at + 4 + operand] = KIND_DATA;
  write_bytes(at + 24 + 8 * operand, offset, 4);
  write_bytes(at + 28 + 8 * operand, extent, 4);
}

static void edit_branch(void) {
  size_t at = random_instruction();
  uint64_t pc = (at - HEADER) / RECORD, count = instruction_count();
  const uint64_t targets[] = {pc, pc + 1,    pc + 2, count, count + 1, pc + (1ull << 32),
                              0,  boundary()};
  memset(image + at, 0, RECORD);
  image[at] = OP_BRANCH;
  image[at + 1] = (uint8_t)(1 + random_below(COND_LAST));
  write_bytes(at + 2, NO_SLOT, 2);
  write_bytes(at + 24, random_below(4) - 2, 8);
  write_bytes(at + 32, random_below(4) - 2, 8);
  write_bytes(at + 40, targets[random_below(sizeof targets / sizeof targets[0])], 8);
}

static void write_operand(size_t at, unsigned i, unsigned width) {
  uint64_t slots = read_bytes(6, 2), data_length = read_bytes(20, 4);
  uint64_t value = new_value(0);
  unsigned kind = (unsigned)random_below(3);
  if (width != 0 && i == 0) kind = KIND_DATA;
  if (kind == KIND_SLOT) value = random_below(slots);
  if (kind == KIND_DATA) {
    uint64_t offset = random_below(data_length), extent = random_below(data_length - offset + 1);
    if (extent > 256) extent = random_below(256);
    if (extent < width) extent = width;
    value = offset | extent << 32;
  }
  image[at + 4 + i] = (uint8_t)kind;
  write_bytes(at + 24 + 8 * i, value, 8);
}

// A new instruction that is valid as far as the plan allows.
static void write_instruction(size_t at) {
  static const uint8_t operands[] = {0, 6, 2, 2, 1, 2, 1, 1}, aux[] = {0, 1, 7, 8, 4, 4, 1, 1};
  // OP_FAIL and OP_EXIT end the run, so they are rare.
  unsigned opcode = (unsigned)(random_below(12) == 0 ? 6 + random_below(2) : 1 + random_below(5));
  unsigned width = opcode == OP_LOAD || opcode == OP_STORE ? 1u << random_below(4) : 0;
  uint64_t slots = read_bytes(6, 2), pc = (at - HEADER) / RECORD;
  int has_result =
      opcode == OP_COMPUTE || opcode == OP_LOAD || (opcode == OP_SYS && random_below(2));
  unsigned count = operands[opcode];
  memset(image + at, 0, RECORD);
  image[at] = (uint8_t)opcode;
  if (opcode == OP_BRANCH || opcode == OP_COMPUTE)
    image[at + 1] = (uint8_t)random_below(aux[opcode]);
  if (width != 0) image[at + 1] = (uint8_t)width;
  write_bytes(at + 2, has_result ? random_below(slots) : NO_SLOT, 2);
  if (opcode == OP_COMPUTE && image[at + 1] == OPERATOR_SET) count = 1;
  for (unsigned i = 0; i < count; i++) write_operand(at, i, width);
  if (opcode == OP_SYS) write_bytes(at + 10, random_below(460), 2);
  if (opcode == OP_SYS) write_bytes(at + 12, random_below(3) ? random_below(40) : TOLERATE_ALL, 2);
  if (opcode == OP_BRANCH) write_bytes(at + 40, pc + 1 + random_below(instruction_count() - pc), 8);
}

static void truncate_image(void) {
  length = random_below(4) ? length - random_below(16) % (length + 1) : random_below(length);
}

static void extend_image(void) {
  size_t added = random_below(4) ? 8 : random_below(200);
  if (length + added > MAX_IMAGE) return;
  for (size_t i = 0; i < added; i++)
    image[length + i] = random_below(2) ? 0 : (uint8_t)random_bits();
  length += added;
}

static void splice(void) {
  const struct image *other = &all_seeds[random_below(all_seed_count)];
  int is_aligned = random_below(2) != 0;
  size_t from = is_aligned ? HEADER + RECORD * random_below(8) : random_below(other->length);
  size_t to = is_aligned ? random_instruction() : random_below(length);
  size_t count = is_aligned ? RECORD * (1 + random_below(8)) : random_below(256);
  if (from < other->length && to < length) {
    if (count > other->length - from) count = other->length - from;
    if (count > length - to) count = length - to;
    memcpy(image + to, other->bytes + from, count);
  }
}

// One instruction more or less, with a header that agrees.
static void resize_code(void) {
  size_t count = instruction_count();
  if (count == 0 || length + RECORD > MAX_IMAGE) return;
  size_t at = random_instruction(), rest = length - at;
  if (random_below(2)) {
    memmove(image + at + RECORD, image + at, rest);
    length += RECORD;
    write_bytes(12, read_bytes(12, 4) + 1, 4);
    write_instruction(at);
  } else {
    memmove(image + at, image + at + RECORD, rest - RECORD);
    length -= RECORD;
    write_bytes(12, read_bytes(12, 4) - 1, 4);
  }
}

static void resize_slots(void) {
  size_t added = random_below(4);
  memset(image + length, 0, added * 8);
  length += added * 8;
  write_bytes(6, read_bytes(6, 2) + added, 2);
  if (random_below(2)) write_bytes(24, random_below(read_bytes(6, 2) + 2), 2);
}

static void replace_instructions(void) {
  for (uint64_t i = 1 + random_below(6); i > 0; i--) write_instruction(random_instruction());
}

size_t mutate(uint8_t *out, const struct image *seeds, size_t seed_count) {
  typedef void mutation(void);
  static mutation *const in_place[] = {flip_bits,   edit_header, edit_instruction, edit_instruction,
                                       edit_extent, edit_branch, edit_relocation,  splice};
  static mutation *const valid[] = {replace_instructions, resize_code, resize_slots};
  const struct image *seed = &seeds[random_below(seed_count)];
  image = out;
  all_seeds = seeds;
  all_seed_count = seed_count;
  // The plans of whole containers are a hundred times longer: rarer, to get through more plans.
  while (seed->length > 8192 && random_below(16) != 0) seed = &seeds[random_below(seed_count)];
  length = seed->length;
  memcpy(image, seed->bytes, length);
  for (uint64_t i = random_below(4); i > 0; i--) valid[random_below(3)]();
  for (uint64_t i = random_below(4) % 3; i > 0; i--)
    in_place[random_below(sizeof in_place / sizeof in_place[0])]();
  if (random_below(8) == 0) (random_below(2) ? truncate_image : extend_image)();
  if (random_below(8) != 0) write_bytes(8, length, 4);
  return length;
}
