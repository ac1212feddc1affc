/** Checks `linux.seccomp` of config.json: shape and words, not whether a kernel has the calls. */
import type { JsonCursor } from './json-cursor.ts'

const ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
]
const ARCHITECTURES = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_M68K',
  'SCMP_ARCH_SH',
  'SCMP_ARCH_SHEB',
]
const FLAGS = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
]
const OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
]
/** MAX_ERRNO of the kernel: a filter cannot return more. */
const MAX_ERRNO = 4095

/** config-linux.md "Seccomp"; `seccomp` is an object. */
export function checkSeccomp(seccomp: JsonCursor): void {
  const action = seccomp.field('defaultAction').required().oneOf(ACTIONS)
  if (action === 'SCMP_ACT_NOTIFY') {
    // The very call that would hand the listener over would wait for the listener.
    seccomp
      .field('defaultAction')
      .report('must not be SCMP_ACT_NOTIFY, which would block the container itself')
  }
  seccomp.field('defaultErrnoRet').integer(0, MAX_ERRNO)
  for (const architecture of seccomp.field('architectures').items())
    architecture.oneOf(ARCHITECTURES)
  for (const flag of seccomp.field('flags').items()) flag.oneOf(FLAGS)
  seccomp.field('listenerPath').string()
  seccomp.field('listenerMetadata').string()
  if (seccomp.field('listenerMetadata').present && !seccomp.field('listenerPath').present) {
    seccomp.field('listenerMetadata').report('must not stand without listenerPath')
  }
  for (const rule of seccomp.field('syscalls').items()) rule.object(checkRule)
  checkListener(seccomp)
}

function checkListener(seccomp: JsonCursor): void {
  const notifies = seccomp
    .field('syscalls')
    .items()
    .some((rule) => rule.field('action').value === 'SCMP_ACT_NOTIFY')
  if (notifies && (seccomp.field('listenerPath').value ?? '') === '')
    seccomp.field('listenerPath').report('is required by a rule with SCMP_ACT_NOTIFY')
}

function checkRule(rule: JsonCursor): void {
  const names = rule.field('names').required()
  names.strings()
  if (Array.isArray(names.value) && names.value.length === 0)
    names.report('must name a system call')
  const action = rule.field('action').required().oneOf(ACTIONS)
  if (action === 'SCMP_ACT_NOTIFY' && Array.isArray(names.value) && names.value.includes('write')) {
    // The container reports through write(2) before the listener can answer (runc refuses it too).
    rule.report('must not: SCMP_ACT_NOTIFY cannot be used for the write syscall')
  }
  rule.field('errnoRet').integer(0, MAX_ERRNO)
  for (const argument of rule.field('args').items()) {
    if (!argument.object()) continue
    argument.field('index').required().integer(0, 5)
    argument.field('value').required().uint64()
    argument.field('valueTwo').uint64()
    argument.field('op').required().oneOf(OPERATORS)
  }
}
