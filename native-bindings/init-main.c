// tsrun-init: a static executable that takes its plan from an inherited descriptor and runs it.
// argv[1] is the plan's descriptor in decimal; the report socket and the descriptors that the
// plan names follow it without gaps.
#include "executor.h"
#include "syscall.h"

#include <linux/errno.h>
#include <linux/mman.h>

#ifndef MAP_PRIVATE
#define MAP_PRIVATE 2
#endif
#define PROT_READ_WRITE 3
#define SEEK_END 2
#define EXIT_REFUSED 120
#define EXIT_FAILED 121

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

static int parse_descriptor(const char *text) {
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
  long address = SYS6(mmap, 0, size, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address < 0 && address > -4096) return NULL;
  long done = 0;
  while (done < size) {
    long count = SYS4(pread64, descriptor, address + done, size - done, done);
    if (count == -EINTR) continue;
    if (count <= 0) return NULL;
    done += count;
  }
  *length = (size_t)size;
  return (uint8_t *)address;
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
static struct outcome run_all(struct plan *plan, int report) {
  struct outcome outcome = run_plan(plan, report);
  while (outcome.extended) {
    struct plan longer;
    uint32_t pc;
    enum refusal refusal = load_plan(outcome.status, &longer, &pc);
    if (refusal == REFUSED_NOTHING) refusal = extend_plan(plan, outcome.pc, &longer);
    if (refusal != REFUSED_NOTHING) refuse(report, refusal);
    *plan = longer;
    outcome = continue_plan(plan, outcome.pc + 1);
  }
  return outcome;
}

_Noreturn void start(long *stack) {
  int descriptor = stack[0] == 2 ? parse_descriptor((const char *)stack[2]) : -1;
  if (descriptor < 0) leave(EXIT_REFUSED);
  struct plan plan;
  uint32_t pc;
  enum refusal refusal = load_plan(descriptor, &plan, &pc);
  (void)SYS1(close, descriptor);
  if (refusal != REFUSED_NOTHING) refuse(descriptor + 1, refusal);
  struct outcome outcome = run_all(&plan, descriptor + 1);
  if (!outcome.failed) leave(outcome.status);
  // Slot 0 of a plan without descriptors is any result: nothing may be sent there.
  report_failure(plan.descriptor_count > 0 ? plan.slots[0] : -1, outcome.pc, outcome.error);
  leave(EXIT_FAILED);
}
