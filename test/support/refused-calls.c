// Makes each system call of the list with arguments that harm nothing, by each ABI of the processor, and
// prints "<abi> <name> <errno name>"; "0" for one that succeeded. Where the kernel has no i386, nothing of that.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
  const char *name;
  long number;
  long i386;
  long arguments[3];
};

static const struct call calls[] = {
    {"add_key", SYS_add_key, 286, {0, 0, 0}},
    {"bpf", SYS_bpf, 357, {0, 0, 0}},
    {"clone3", SYS_clone3, 435, {0, 0, 0}},
    {"delete_module", SYS_delete_module, 129, {0, 0, 0}},
    {"finit_module", SYS_finit_module, 350, {-1, 0, 0}},
    {"fsopen", SYS_fsopen, 430, {0, 0, 0}},
    {"init_module", SYS_init_module, 128, {0, 0, 0}},
    {"io_uring_enter", SYS_io_uring_enter, 426, {-1, 0, 0}},
    {"io_uring_register", SYS_io_uring_register, 427, {-1, 0, 0}},
    {"io_uring_setup", SYS_io_uring_setup, 425, {0, 0, 0}},
    {"kexec_load", SYS_kexec_load, 283, {0, 0, 0}},
    {"keyctl", SYS_keyctl, 288, {-1, 0, 0}},
    {"mount", SYS_mount, 21, {0, 0, 0}},
    {"mount_setattr", SYS_mount_setattr, 442, {-1, 0, 0}},
    {"move_mount", SYS_move_mount, 429, {-1, 0, -1}},
    {"open_by_handle_at", SYS_open_by_handle_at, 342, {-1, 0, 0}},
    {"open_tree", SYS_open_tree, 428, {-1, 0, 0}},
    {"perf_event_open", SYS_perf_event_open, 336, {0, 0, 0}},
    {"pivot_root", SYS_pivot_root, 217, {0, 0, 0}},
    {"request_key", SYS_request_key, 287, {0, 0, 0}},
    {"setns", SYS_setns, 346, {-1, 0, 0}},
    {"swapon", SYS_swapon, 87, {0, 0, 0}},
    {"unshare", SYS_unshare, 310, {0x10000000, 0, 0}},
    {"userfaultfd", SYS_userfaultfd, 374, {-1, 0, 0}},
};

static void report(const char *abi, const char *name, long result) {
  const char *error = result < 0 ? strerrorname_np((int)-result) : "0";
  printf("%s %s %s\n", abi, name, error == NULL ? "?" : error);
}

#ifdef __x86_64__
static long call_i386(const struct call *call) {
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(call->i386), "b"(call->arguments[0]), "c"(call->arguments[1]),
                     "d"(call->arguments[2])
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

// Since 6.7 the kernel lets guests with encrypted memory do without int 0x80: a general protection fault.
static int has_i386(void) {
  static const struct call get_pid = {"getpid", SYS_getpid, 20, {0, 0, 0}};
  int status = -1;
  pid_t child = fork();
  if (child == 0) _exit(call_i386(&get_pid) > 0 ? 0 : 1);
  waitpid(child, &status, 0);
  return WIFEXITED(status);
}
#endif

int main(void) {
#ifdef __x86_64__
  int with_i386 = has_i386();
#endif
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    const struct call *call = &calls[i];
    const long *a = call->arguments;
    report("native", call->name, syscall(call->number, a[0], a[1], a[2]) < 0 ? -errno : 0);
#ifdef __x86_64__
    if (with_i386) report("i386", call->name, call_i386(call));
    report("x32", call->name,
           syscall(call->number | 0x40000000, a[0], a[1], a[2]) < 0 ? -errno : 0);
#endif
  }
  return 0;
}
