// libtsrun.so: what Node calls in-process. Nothing here forks a copy of Node or changes a namespace, and
// the only state is the memory of children that have yet to execute; each function returns a result or -errno.
#include "executor.h"
#include "freestanding.h"
#include "syscall.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/signal.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_DESCRIPTORS 256
#define MAX_ARGUMENTS 16
#define SIGNALS 64
#define SIGCHLD_NUMBER 17
#define CLOSE_RANGE_CLOEXEC_FLAG 4u
#define MSG_NOSIGNAL_FLAG 0x4000
#define MAX_BLOCKS 8
#ifndef MAP_PRIVATE
#define MAP_PRIVATE 2
#endif

// Runs the plan image in place, in the calling thread. Afterwards its data and slots hold the
// results. Returns 0, or (pc + 1) << 16 | errno of the failed instruction, or -refusal.
EXPORT int64_t tsrun_run(uint8_t *image, int64_t length) {
  struct plan plan;
  uint32_t pc;
  if (((uintptr_t)image & 7) != 0) return -(int64_t)REFUSED_LENGTH;
  enum refusal refusal = verify_plan(image, (size_t)length, &plan, &pc);
  if (refusal != REFUSED_NOTHING) return -(int64_t)refusal;
  struct outcome outcome = run_plan(&plan, -1);
  // A batch is whole, and Node is not to be copied: its results are read from the image that was given.
  if (outcome.extended || outcome.cloned) return ((int64_t)outcome.pc + 1) << 16 | ENOSYS;
  if (!outcome.failed) return 0;
  return ((int64_t)outcome.pc + 1) << 16 | outcome.error;
}

// A plan for a thread that the caller makes; filled by src/native/bun-backend.ts.
struct job {
  uint8_t *image;
  int64_t length;
  int64_t result; // out: of tsrun_run
  int64_t done;   // descriptor of a pipe that gets the id at the end
  int64_t id;
};

// Start routine for pthread_create(3): koffi has threads of its own, Bun's FFI has none.
EXPORT void *tsrun_run_job(struct job *job) {
  // Signals are for the thread that runs JavaScript; they would also cut a wait short.
  uint64_t all = ~UINT64_C(0);
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  job->result = tsrun_run(job->image, job->length);
  // The pipe holds 8,000 records and its reader reads on: this write waits at worst.
  (void)SYS3(write, job->done, &job->id, sizeof job->id);
  return NULL;
}

// One system call whose operands are all numbers. Returns its result or -errno.
EXPORT int64_t tsrun_syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e,
                             int64_t f) {
  return raw_syscall(number, a, b, c, d, e, f);
}

// What tsrun_spawn starts; filled by src/native/executor.ts, all fields 32-bit.
struct spawn_request {
  int32_t executable; // descriptor, run with execveat(AT_EMPTY_PATH)
  int32_t pidfd;      // out: pidfd of the child
  uint32_t descriptor_count;
  uint32_t argument_count;
  uint32_t arguments_length;
  int32_t
      report; // a socket that hears of a failed exec, so that nobody waits for it; -1: tsrun_spawn waits
  int32_t descriptors[MAX_DESCRIPTORS]; // become 0, 1, … in the child; -1 leaves a number closed
  char arguments[4096];                 // argument_count strings, each with its NUL
};

struct kernel_sigaction {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

// Node ignores SIGPIPE and handles others; a container must start with every signal at its default.
static void reset_signals(void) {
  struct kernel_sigaction action = {0};
  for (int i = 1; i <= SIGNALS; i++) (void)SYS4(rt_sigaction, i, &action, 0, 8);
  uint64_t none = 0;
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
}

// Puts the descriptors at 0, 1, 2, …; each goes above all targets first so that none is overwritten.
static int place_descriptors(struct spawn_request *request, int32_t *moved, int *executable) {
  int floor = (int)request->descriptor_count + 1;
  for (uint32_t i = 0; i < request->descriptor_count; i++) {
    if (request->descriptors[i] < 0) {
      moved[i] = -1;
      continue;
    }
    long copy = SYS3(fcntl, request->descriptors[i], F_DUPFD_CLOEXEC, floor);
    if (copy < 0) return (int)copy;
    moved[i] = (int32_t)copy;
  }
  long copy = SYS3(fcntl, request->executable, F_DUPFD_CLOEXEC, floor);
  if (copy < 0) return (int)copy;
  *executable = (int)copy;
  for (uint32_t i = 0; i < request->descriptor_count; i++) {
    if (moved[i] < 0) {
      (void)SYS1(close, i);
      continue;
    }
    long placed = SYS3(dup3, moved[i], i, 0);
    if (placed < 0) return (int)placed;
  }
  // What Node itself inherited without O_CLOEXEC must not travel on (CVE-2024-21626).
  return (int)SYS3(close_range, request->descriptor_count, ~0u, CLOSE_RANGE_CLOEXEC_FLAG);
}

// Resets, places and executes. Returns -errno.
static int exec_child(struct spawn_request *request) {
  int32_t moved[MAX_DESCRIPTORS];
  const char *arguments[MAX_ARGUMENTS + 1];
  const char *none[1] = {NULL};
  int executable = -1;
  const char *next = request->arguments;
  for (uint32_t i = 0; i < request->argument_count; i++) {
    arguments[i] = next;
    while (*next != 0) next++;
    next++;
  }
  arguments[request->argument_count] = NULL;
  reset_signals();
  int result = place_descriptors(request, moved, &executable);
  return result < 0 ? result : (int)SYS5(execveat, executable, "", arguments, none, AT_EMPTY_PATH);
}

// The child after vfork: shares memory with the suspended caller until the exec, so it only
// touches its own stack frame and `*error`. The frame must be its own: inlined into tsrun_spawn,
// its variables could share stack slots with what the caller still needs when it wakes up.
__attribute__((noinline)) static _Noreturn void run_awaited(struct spawn_request *request,
                                                            volatile int *error) {
  *error = exec_child(request);
  for (;;) (void)SYS1(exit, 127);
}

// What a child needs that nobody waits for, until it has executed.
struct block {
  int32_t
      taken; // cleared by the kernel when the child no longer uses our memory (CLONE_CHILD_CLEARTID)
  struct spawn_request request;
  uint8_t stack[1 << 14] __attribute__((aligned(16)));
};

static struct block *blocks[MAX_BLOCKS];

static struct block *new_block(struct block **place) {
  long address = SYS6(mmap, 0, sizeof(struct block), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct block *nobody = NULL;
  if (address < 0 && address > -4096) return NULL;
  if (__atomic_compare_exchange_n(place, &nobody, (struct block *)address, 0, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE))
    return (struct block *)address;
  (void)SYS2(munmap, address, sizeof(struct block)); // another thread was quicker
  return nobody;
}

static struct block *take_block(void) {
  for (int i = 0; i < MAX_BLOCKS; i++) {
    struct block *block = __atomic_load_n(&blocks[i], __ATOMIC_ACQUIRE);
    if (block == NULL) block = new_block(&blocks[i]);
    if (block == NULL) return NULL;
    int32_t free = 0;
    if (__atomic_compare_exchange_n(&block->taken, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return block;
  }
  return NULL;
}

// The child that nobody waits for: touches nothing but its block while Node runs on in the same memory.
static void run_unawaited(void *taken) {
  struct spawn_request *request = &((struct block *)taken)->request;
  // Above everything that the child places.
  long report = SYS3(fcntl, request->report, F_DUPFD_CLOEXEC, MAX_DESCRIPTORS * 2);
  struct report failure = {REPORT_FAILED, PC_NOT_STARTED, 0, 0};
  failure.error = -exec_child(request);
  (void)SYS6(sendto, report, &failure, sizeof failure, MSG_NOSIGNAL_FLAG, 0, 0);
  for (;;) (void)SYS1(exit, 127);
}

static int request_is_valid(const struct spawn_request *request) {
  if (request->descriptor_count > MAX_DESCRIPTORS) return 0;
  if (request->argument_count > MAX_ARGUMENTS) return 0;
  if (request->arguments_length > sizeof request->arguments) return 0;
  uint32_t strings = 0;
  for (uint32_t i = 0; i < request->arguments_length; i++) strings += request->arguments[i] == 0;
  return strings == request->argument_count;
}

// What the caller names wrongly it hears of at once, whether it waits or not.
static int descriptors_are_open(const struct spawn_request *request) {
  if (SYS2(fcntl, request->executable, F_GETFD) < 0) return 0;
  for (uint32_t i = 0; i < request->descriptor_count; i++)
    if (request->descriptors[i] >= 0 && SYS2(fcntl, request->descriptors[i], F_GETFD) < 0) return 0;
  return 1;
}

static long spawn_unawaited(struct block *block, const struct spawn_request *request, int *pidfd) {
  struct clone_args clone = {0};
  block->request = *request;
  clone.flags = CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID;
  clone.pidfd = (uint64_t)(uintptr_t)pidfd;
  clone.child_tid = (uint64_t)(uintptr_t)&block->taken;
  clone.exit_signal = SIGCHLD_NUMBER;
  clone.stack = (uint64_t)(uintptr_t)block->stack;
  clone.stack_size = sizeof block->stack;
  long pid = clone_on_stack(&clone, sizeof clone, run_unawaited, block);
  if (pid < 0) __atomic_store_n(&block->taken, 0, __ATOMIC_RELEASE);
  return pid;
}

static long spawn_awaited(struct spawn_request *request, int *pidfd) {
  volatile int error = 0;
  struct clone_args clone = {0};
  clone.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
  clone.pidfd = (uint64_t)(uintptr_t)pidfd;
  clone.exit_signal = SIGCHLD_NUMBER;
  long pid = SYS2(clone3, &clone, sizeof clone);
  if (pid == 0) run_awaited(request, &error);
  if (pid < 0 || error == 0) return pid;
  // A handler without SA_RESTART must not leave a zombie behind.
  while (SYS4(wait4, pid, 0, 0, 0) == -EINTR) continue;
  (void)SYS1(close, *pidfd);
  return error;
}

// Starts request->executable with exactly the given descriptors, default signals and an empty
// environment, in the memory of the caller until it executes (vfork(2)): a copy of Node's page tables
// would cost milliseconds. With a report socket, the caller goes on meanwhile; a record {REPORT_FAILED,
// PC_NOT_STARTED, errno} tells it of a failure. Returns the pid (the pidfd is in the request) or -errno.
EXPORT int64_t tsrun_spawn(struct spawn_request *request) {
  if (!request_is_valid(request)) return -EINVAL;
  if (!descriptors_are_open(request)) return -EBADF;
  int pidfd = -1;
  uint64_t all = ~UINT64_C(0), before = 0;
  struct block *block = request->report < 0 ? NULL : take_block();
  // No handler of Node's may run in the child.
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
  long pid =
      block == NULL ? spawn_awaited(request, &pidfd) : spawn_unawaited(block, request, &pidfd);
  (void)SYS4(rt_sigprocmask, SIG_SETMASK, &before, 0, 8);
  if (pid >= 0) request->pidfd = pidfd;
  return pid;
}
