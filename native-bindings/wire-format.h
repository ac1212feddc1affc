// The plan's wire format: twin of src/plan/wire-format.ts, which encodes what this file decodes.
// test/native/wire-format.test.ts holds the two together.
//
// A plan is one little-endian image that is checked whole before its first side effect:
//
//   header        32 bytes
//   instructions  72 bytes each
//   relocations   8 bytes each: {u32 at, u32 target}: data[at] becomes the address of data[target]
//   data          data_length bytes, padded with zeros to a multiple of 8
//   slots         8 bytes each: working registers, -1 at the start
//
// The first `descriptor_count` slots start with consecutive descriptor numbers that the parent
// handed over; slot 0 of an executed plan is the report socket. Jumps go forward only, as in
// classic BPF, so every plan ends.
#ifndef TSRUN_WIRE_FORMAT_H
#define TSRUN_WIRE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC 0x50525354u // "TSRP"
#define PLAN_VERSION 1u
#define PLAN_MAX_LENGTH (256u << 20)
#define NO_SLOT 0xffffu
#define TOLERATE_ALL 0xffffu
#define OPERANDS 6
#define TOLERATED 6

struct plan_header {
  uint32_t magic;
  uint16_t version;
  uint16_t slot_count;
  uint32_t total_length;
  uint32_t instruction_count;
  uint32_t relocation_count;
  uint32_t data_length;
  uint16_t descriptor_count;
  uint16_t reserved16;
  uint32_t reserved32;
};
_Static_assert(sizeof(struct plan_header) == 32, "plan_header is 32 bytes on the wire");

enum opcode {
  OP_SYS = 1,     // result = system call `number`(operands); fails on an errno not tolerated
  OP_BRANCH = 2,  // if (operand0 <aux> operand1) continue at instruction operand2
  OP_COMPUTE = 3, // result = operand0 <aux> operand1
  OP_LOAD = 4,    // result = aux bytes at data operand0, zero extended
  OP_STORE = 5,   // aux bytes at data operand0 = operand1
  OP_FAIL = 6,    // report errno operand0 (either sign; EINVAL for what is none) and end
  OP_EXIT = 7,    // end with status operand0
  OP_EXTEND =
      8, // go on in the longer plan that descriptor operand0 holds; this one is its beginning
  OP_CLONE =
      9, // result = clone3(data operand0): the child goes on here, with its own data and slots
};

enum condition { COND_EQ = 1, COND_NE, COND_LT, COND_LE, COND_GT, COND_GE, COND_LAST = COND_GE };

enum operator{
  OPERATOR_SET = 1, // operand1 must be the immediate 0
  OPERATOR_ADD,
  OPERATOR_SUB,
  OPERATOR_AND,
  OPERATOR_OR,
  OPERATOR_SHL,
  OPERATOR_SHR,
  OPERATOR_LAST = OPERATOR_SHR
};

enum operand_kind {
  KIND_IMMEDIATE = 0, // the 64-bit value itself
  KIND_SLOT = 1,      // a slot index
  KIND_DATA = 2,      // low 32 bits: data offset; high 32 bits: bytes that may be touched there
  KIND_LAST = KIND_DATA
};

struct instruction {
  uint8_t opcode;
  uint8_t aux; // condition, operator or width
  uint16_t result;
  uint8_t kinds[OPERANDS];
  uint16_t number;
  uint16_t tolerated[TOLERATED]; // errnos that count as success; TOLERATE_ALL alone means each
  uint64_t operands[OPERANDS];
};
_Static_assert(sizeof(struct instruction) == 72, "instruction is 72 bytes on the wire");

// struct clone_args of clone3(2) up to `cgroup`: what operand0 of OP_CLONE must have.
#define CLONE_ARGS_LENGTH 88u

struct relocation {
  uint32_t at;
  uint32_t target;
};

// What the executor writes to the report socket when it gives up.
struct report {
  uint32_t type; // REPORT_FAILED; plans write their own events with other types
  uint32_t pc;
  int32_t error;
  uint32_t reserved;
};
#define REPORT_FAILED 1u
// pc of a plan that was refused before instruction 0; `error` is then an enum refusal.
#define PC_REFUSED 0xffffffffu
// pc of an executable that could not be started; `error` is the errno of execveat(2).
#define PC_NOT_STARTED 0xfffffffeu

#endif
