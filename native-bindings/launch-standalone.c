// The first instructions of the standalone executable, before its dynamic loader: does the verb itself
// or starts the engine, which is the rest of the file, as the kernel would have, but with an empty
// environment and in a directory that is there.
//
// Bun's runtime acts on some hundred variables before the first line of a program: BUN_BE_BUN turns a
// compiled program into the bun command, BUN_OPTIONS=--preload runs any file. tsrun is started by root
// in environments that others have a hand in. The strings stay where the kernel put them: the program
// reads its environment from /proc/self/environ (proc(5)).
#include "launch.h"
#include "load-interpreter.h"
#include "syscall.h"

#include <linux/auxvec.h>
#include <linux/errno.h>

#define PATH_SIZE 4096

// Filled in by .ci/standalone-entry.mjs; launch-standalone.ld puts it first.
__attribute__((section(".parameters"), used)) const volatile struct {
  uint64_t entry;       // of the engine
  uint64_t headers;     // its program headers
  uint64_t interpreter; // path of its dynamic loader
} engine = {1, 1, 1};

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

// What the kernel says of the process, behind the list of variables (getauxval(3)).
static const long *auxiliary_vector(const long *environment) {
  while (*environment != 0) environment++;
  return environment + 1;
}

static uint64_t page_size(const long *vector) {
  for (; vector[0] != AT_NULL; vector += 2)
    if (vector[0] == AT_PAGESZ) return (uint64_t)vector[1];
  return 4096;
}

// All that the engine finds in its environment. Its memory comes in large pages where the kernel gives
// them on request (Documentation/admin-guide/mm/transhuge.rst), which spares it three of four page faults,
// and no thread touches memory ahead of it: a command is over before that pays off.
static const char *const engine_environment[] = {
    "MIMALLOC_ALLOW_THP=1",
    "BUN_JSC_useWarmUpMarkedBlocks=0",
};
#define ENVIRONMENT_COUNT (sizeof engine_environment / sizeof *engine_environment)

// Writes what the kernel would have put on the stack for the engine alone: the arguments, its
// environment, and the vector, which tells of the engine.
static void write_stack(long *to, const long *stack, const long *vector, uint64_t base) {
  long words = stack[0] + 2;
  for (long i = 0; i < words; i++) *to++ = stack[i];
  for (unsigned i = 0; i < ENVIRONMENT_COUNT; i++) *to++ = (long)engine_environment[i];
  *to++ = 0;
  for (;; vector += 2, to += 2) {
    long type = vector[0], value = vector[1];
    if (type == AT_PHDR) value = (long)engine.headers;
    if (type == AT_BASE) value = (long)base;
    if (type == AT_ENTRY) value = (long)engine.entry;
    to[0] = type;
    to[1] = value;
    if (type == AT_NULL) return;
  }
}

static size_t vector_words(const long *vector) {
  size_t words = 2;
  for (; vector[0] != AT_NULL; vector += 2) words += 2;
  return words;
}

// Where the working directory was removed, as a shim's often is when its first container is gone, Bun
// would refuse to start: nothing relative can be reached from there, so / will do.
static void leave_removed_directory(void) {
  char path[PATH_SIZE];
  if (SYS2(getcwd, path, sizeof path) == -ENOENT) (void)SYS1(chdir, "/");
}

_Noreturn void start(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  if (count > 0 && launch(arguments + 1)) leave(LAUNCH_DONE);
  leave_removed_directory();
  const long *vector = auxiliary_vector(stack + 1 + count + 1);
  const char *path = (const char *)engine.interpreter;
  struct loaded interpreter;
  if (load_interpreter(path, page_size(vector), &interpreter) < 0)
    cannot_start("cannot load ", path,
                 "; hint: the standalone executable is for systems with glibc\n");
  size_t words = (size_t)count + 2 + ENVIRONMENT_COUNT + 1 + vector_words(vector);
  long *engine_stack = __builtin_alloca_with_align(words * sizeof *engine_stack, 128);
  write_stack(engine_stack, stack, vector, interpreter.base);
  enter_program(engine_stack, interpreter.entry);
}
