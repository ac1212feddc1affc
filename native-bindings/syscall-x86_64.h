// The raw system call and the process entry of x86_64 (System V ABI, syscall(2)).
#ifndef TSRUN_SYSCALL_ARCH_H
#define TSRUN_SYSCALL_ARCH_H

static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// Goes on at `entry` as a new program does (System V ABI): nothing to call at its end in rdx.
static inline _Noreturn void enter_program(const void *stack, unsigned long entry) {
  __asm__ volatile("mov %0,%%rsp\n xor %%ebp,%%ebp\n jmp *%1" ::"r"(stack), "r"(entry), "d"(0L)
                   : "memory");
  __builtin_unreachable();
}

// clone3(2) of a child on the stack that `arguments` names: it calls function(argument), which must not
// return, and sees nothing of this frame.
static inline long clone_on_stack(const void *arguments, long size, void (*function)(void *),
                                  void *argument) {
  long result;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t"
                   "mov %[argument], %%rdi\n\t"
                   "call *%[function]\n\t"
                   "hlt\n"
                   "1:"
                   : "=a"(result)
                   : "a"(435L), "D"(arguments),
                     "S"(size), [function] "r"(function), [argument] "r"(argument)
                   : "rcx", "r11", "memory");
  return result;
}

// The kernel enters with argc at the stack pointer; hand that address to C on an aligned stack.
#define DEFINE_ENTRY(function) \
  __asm__( \
      ".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call " #function \
      "\n hlt\n")

#endif
