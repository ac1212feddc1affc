// What is left of root once the sockets are open: no capability, and the few system calls that are needed.
#include "helper.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#define MAX_CALLS 64

#ifdef __x86_64__
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static struct sock_filter statement(uint32_t code, uint32_t value) {
  return (struct sock_filter){.code = (uint16_t)code, .k = value};
}

static struct sock_filter jump(uint32_t value, uint32_t if_same, uint32_t otherwise) {
  return (struct sock_filter){.code = BPF_JMP | BPF_JEQ | BPF_K,
                              .jt = (uint8_t)if_same,
                              .jf = (uint8_t)otherwise,
                              .k = value};
}

// 0, or the errno of what failed, negative.
long filter_calls(const uint16_t *allowed, uint32_t count) {
  struct sock_filter code[MAX_CALLS + 5];
  uint32_t at = 0;
  if (count > MAX_CALLS) return -1;
  code[at++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  code[at++] = jump(OWN_ARCHITECTURE, 0, count + 1);
  code[at++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (uint32_t i = 0; i < count; i++) code[at++] = jump(allowed[i], count - i, 0);
  code[at++] = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  code[at++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {.len = (uint16_t)at, .filter = code};
  return SYS3(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

long drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}};
  long result = SYS2(capset, &header, none);
  return result < 0 ? result : SYS5(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
