// The launcher: does a verb of the runtime's command line by a plan, where that can be, instead of
// starting an engine of JavaScript for it. src/runtime/verb-plans/verb-plan.ts says what such plans
// are; the two share the constants here, and test/native/launch.test.ts holds them together.
#ifndef TSRUN_LAUNCH_H
#define TSRUN_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

// The head of a verb plan's data, each text with its NUL.
#define LAUNCH_ROOT_SIZE 4096
#define LAUNCH_ID_SIZE 256
// The exit status of a plan that has done its verb. Any other is the engine's to go on from.
#define LAUNCH_DONE 0

// What a command line asks for, when it is one that a plan may do.
struct request {
  const uint8_t *plan;
  const uint8_t *plan_end;
  const char *root;
  const char *id;
};

// Reads the arguments behind the program's name, which end with NULL. Returns 0 for every command
// line that is not understood to its last letter.
int read_request(char *const *arguments, struct request *request);

_Noreturn void leave(int status);

// Says that `what`, such as a path, is why nothing can be started, and ends.
_Noreturn void cannot_start(const char *before, const char *what, const char *behind);

// Returns 1 when the verb that the arguments name has been done.
int launch(char *const *arguments);

#endif
