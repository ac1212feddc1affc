// tsrun-init: a static executable that takes its plan from an inherited descriptor and runs it.
// argv[1] is the plan's descriptor in decimal; the report socket and the descriptors that the
// plan names follow it without gaps. argv[2], if any, is how many bytes of memory to have ready.
#include "executor.h"
#include "freestanding.h"
#include "memory.h"
#include "syscall.h"

#include <linux/errno.h>
#include <linux/sched.h>

#define SEEK_END 2
#define EXIT_REFUSED 120
#define EXIT_FAILED 121
#define STACK_SIZE (1u << 14)

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

static _Noreturn void leave(int status) {
  for (;;) (void)SYS1(exit_group, status);
}

// Nobody may be listening any more, which is no reason to be killed by SIGPIPE: MSG_NOSIGNAL.
static void report_failure(int64_t descriptor, uint32_t pc, int error) {
  struct report report = {REPORT_FAILED, pc, error, 0};
  (void)SYS6(sendto, descriptor, &report, sizeof report, 0x4000, 0, 0);
}

static int parse_number(const char *text) {
  int number = 0;
  if (*text == 0) return -1;
  for (; *text >= '0' && *text <= '9' && number < 1 << 20; text++)
    number = number * 10 + (*text - '0');
  return *text == 0 ? number : -1;
}

// Reads the whole plan into private memory: what was verified cannot change afterwards.
static uint8_t *read_plan(int descriptor, size_t *length) {
  long size = SYS3(lseek, descriptor, 0, SEEK_END);
  if (size <= 0 || size > (long)PLAN_MAX_LENGTH) return NULL;
  uint8_t *image = take_memory((size_t)size);
  if (image == NULL) return NULL;
  long done = 0;
  while (done < size) {
    long count = SYS4(pread64, descriptor, image + done, size - done, done);
    if (count == -EINTR) continue;
    if (count <= 0) return NULL;
    done += count;
  }
  *length = (size_t)size;
  return image;
}

// Reads and checks the plan behind `descriptor`. `*pc` as verify_plan says.
static enum refusal load_plan(int descriptor, struct plan *plan, uint32_t *pc) {
  size_t length = 0;
  uint8_t *image = read_plan(descriptor, &length);
  *pc = PC_REFUSED;
  return image == NULL ? REFUSED_LENGTH : verify_plan(image, length, plan, pc);
}

static _Noreturn void refuse(int report, enum refusal refusal) {
  report_failure(report, PC_REFUSED, (int)refusal);
  leave(EXIT_REFUSED);
}

// A plan may come in two parts, so that its first system calls are made while the rest is compiled.
static void go_on_longer(struct plan *plan, const struct outcome *outcome, int report) {
  struct plan longer;
  uint32_t pc;
  enum refusal refusal = load_plan(outcome->status, &longer, &pc);
  if (refusal == REFUSED_NOTHING) refusal = extend_plan(plan, outcome->pc, &longer);
  if (refusal != REFUSED_NOTHING) refuse(report, refusal);
  *plan = longer;
}

// A process of the plan that its starter shares its memory with: a stack, and behind it data and slots.
struct child {
  uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
  struct plan plan;
  uint32_t pc;
  int report;
};

static _Noreturn void run_to_end(struct plan *plan, uint32_t pc, int report);

static void run_child(void *argument) {
  struct child *child = argument;
  run_to_end(&child->plan, child->pc, child->report);
}

static struct child *new_child(const struct plan *plan, uint32_t pc, int report) {
  size_t data_length = ((size_t)plan->data_length + 7) & ~(size_t)7;
  struct child *child =
      take_memory(sizeof(struct child) + data_length + (size_t)plan->slot_count * 8);
  if (child == NULL) return NULL;
  child->plan = *plan;
  child->plan.data = (uint8_t *)(child + 1);
  child->plan.slots = (int64_t *)(child->plan.data + data_length);
  child->pc = pc + 1;
  child->report = report;
  (void)extend_plan(plan, pc, &child->plan); // as long as itself
  child->plan.slots[plan->instructions[pc].result] = 0;
  return child;
}

// In the memory of this process: a copy of its page tables, and a fault for each page that either of them writes
// next, would take longer than all the rest of the child's life up to its exec.
static long start_child(const struct plan *plan, uint32_t pc, int report) {
  struct clone_args arguments = {0};
  struct child *child = new_child(plan, pc, report);
  if (child == NULL) return -ENOMEM;
  memcpy(&arguments, plan->data + (plan->instructions[pc].operands[0] & 0xffffffffu),
         CLONE_ARGS_LENGTH);
  arguments.stack = (uint64_t)(uintptr_t)child->stack;
  arguments.stack_size = sizeof child->stack;
  return clone_on_stack(&arguments, CLONE_ARGS_LENGTH, run_child, child);
}

static void clone(const struct plan *plan, struct outcome *outcome, int report) {
  long pid = start_child(plan, outcome->pc, report);
  plan->slots[plan->instructions[outcome->pc].result] = pid;
  outcome->failed = pid < 0;
  outcome->error = (int)-pid;
}

static _Noreturn void run_to_end(struct plan *plan, uint32_t pc, int report) {
  struct outcome outcome = continue_plan(plan, pc);
  while (outcome.extended || outcome.cloned) {
    if (outcome.extended) go_on_longer(plan, &outcome, report);
    if (outcome.cloned) clone(plan, &outcome, report);
    if (outcome.failed) break;
    outcome = continue_plan(plan, outcome.pc + 1);
  }
  if (!outcome.failed) leave(outcome.status);
  // Slot 0 of a plan without descriptors is any result: nothing may be sent there.
  report_failure(plan->descriptor_count > 0 ? plan->slots[0] : -1, outcome.pc, outcome.error);
  leave(EXIT_FAILED);
}

_Noreturn void start(long *stack) {
  int descriptor = stack[0] == 2 || stack[0] == 3 ? parse_number((const char *)stack[2]) : -1;
  int memory = stack[0] == 3 ? parse_number((const char *)stack[3]) : 0;
  if (descriptor < 0 || memory < 0) leave(EXIT_REFUSED);
  struct plan plan;
  uint32_t pc;
  enum refusal refusal = load_plan(descriptor, &plan, &pc);
  (void)SYS1(close, descriptor);
  if (refusal != REFUSED_NOTHING) refuse(descriptor + 1, refusal);
  prepare_memory((size_t)memory);
  begin_plan(&plan, descriptor + 1);
  run_to_end(&plan, 0, descriptor + 1);
}
