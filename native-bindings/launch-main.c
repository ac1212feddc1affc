// tsrun-launch: does the verb itself or becomes the engine. Arguments: COUNT, the COUNT words that
// start the engine with tsrun's script, then the command line.
#include "launch.h"
#include "syscall.h"

_Noreturn void start(long *stack);
DEFINE_ENTRY(start);

_Noreturn void start(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  char **environment = arguments + count + 1;
  long words =
      count > 1 && arguments[1][0] != 0 && arguments[1][1] == 0 ? arguments[1][0] - '0' : 0;
  if (words < 1 || words > 9 || count < 2 + words)
    cannot_start("", "tsrun-launch", " is for the tsrun command to call\n");
  if (launch(arguments + 2 + words)) leave(LAUNCH_DONE);
  (void)SYS3(execve, arguments[2], arguments + 2, environment);
  cannot_start("cannot execute \"", arguments[2],
               "\"; hint: name a Node.js of 20.19 or newer in TSRUN_NODE\n");
}
