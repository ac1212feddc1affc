// The raw system call and the process entry of aarch64 (AAPCS64, syscall(2)).
#ifndef TSRUN_SYSCALL_ARCH_H
#define TSRUN_SYSCALL_ARCH_H

static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

// Goes on at `entry` as a new program does (AAPCS64): nothing to call at its end in x0.
static inline _Noreturn void enter_program(const void *stack, unsigned long entry) {
  register const void *x9 __asm__("x9") = stack;
  register unsigned long x10 __asm__("x10") = entry;
  __asm__ volatile("mov sp,%0\n mov x0,#0\n mov x29,#0\n mov x30,#0\n br %1" ::"r"(x9), "r"(x10)
                   : "memory");
  __builtin_unreachable();
}

// clone3(2) of a child on the stack that `arguments` names: it calls function(argument), which must not
// return, and sees nothing of this frame.
static inline long clone_on_stack(const void *arguments, long size, void (*function)(void *),
                                  void *argument) {
  register long x8 __asm__("x8") = 435;
  register long x0 __asm__("x0") = (long)arguments;
  register long x1 __asm__("x1") = size;
  register long x19 __asm__("x19") = (long)function;
  register long x20 __asm__("x20") = (long)argument;
  __asm__ volatile("svc 0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, #0\n\t"
                   "mov x30, #0\n\t"
                   "mov x0, x20\n\t"
                   "blr x19\n\t"
                   "brk #0\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x19), "r"(x20)
                   : "memory");
  return x0;
}

#define DEFINE_ENTRY(function) \
  __asm__(".globl _start\n_start:\n mov x29,#0\n mov x30,#0\n mov x0,sp\n and sp,x0,#-16\n" \
          " b " #function "\n")

#endif
