// The plans that the build compiled, as they are.
#define PLAN(name, file) \
  .balign 8; .globl name; .hidden name; name: .incbin file; \
  .globl name##_end; .hidden name##_end; name##_end:

  .section .rodata
PLAN(start_plan, "start.plan")
PLAN(delete_plan, "delete.plan")
PLAN(delete_force_plan, "delete-force.plan")
#ifdef __ELF__
  .section .note.GNU-stack, "", %progbits
#endif
