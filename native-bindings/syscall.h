// Chooses the architecture's raw system call, or the fuzz build's stand-in.
#ifndef TSRUN_SYSCALL_H
#define TSRUN_SYSCALL_H

#ifdef TSRUN_HOSTED
long raw_syscall(long number, long a, long b, long c, long d, long e, long f);
#elif defined(__x86_64__)
#include "syscall-x86_64.h"
#elif defined(__aarch64__)
#include "syscall-aarch64.h"
#else
#error "tsrun supports x86_64 and aarch64"
#endif

#include <asm/unistd.h>

#define SYS0(name) raw_syscall(__NR_##name, 0, 0, 0, 0, 0, 0)
#define SYS1(name, a) raw_syscall(__NR_##name, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(name, a, b) raw_syscall(__NR_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(name, a, b, c) raw_syscall(__NR_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(name, a, b, c, d) \
  raw_syscall(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(name, a, b, c, d, e) \
  raw_syscall(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(name, a, b, c, d, e, f) \
  raw_syscall(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
