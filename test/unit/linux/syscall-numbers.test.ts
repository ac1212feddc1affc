import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import {
  highestSyscallNumber,
  outOfSequence,
  type SyscallArchitecture,
  syscallName,
  syscallNumber,
  syscallTable,
  X32_SYSCALL_BIT,
} from '../../../src/linux/syscall-numbers.ts'

const ARCHITECTURES: readonly SyscallArchitecture[] = ['x86_64', 'x86', 'x32', 'aarch64', 'arm']

/** Where Debian's linux-libc-dev packages keep each architecture's <asm/unistd.h>. */
const HEADERS: readonly (readonly [SyscallArchitecture, readonly string[]])[] = [
  ['x86_64', ['-m64', '-isystem', '/usr/include/x86_64-linux-gnu', '-isystem', '/usr/include']],
  ['x86', ['-m32', '-isystem', '/usr/include/x86_64-linux-gnu', '-isystem', '/usr/include']],
  ['aarch64', ['-m64', '-isystem', '/usr/aarch64-linux-gnu/include']],
]

describe('syscallNumber()', () => {
  it.each([
    ['x86_64', 'read', 0],
    ['x86_64', 'openat2', 437],
    ['x86_64', 'file_setattr', 469],
    ['x86', 'waitpid', 7],
    ['x86', 'clock_gettime64', 403],
    ['x32', 'read', X32_SYSCALL_BIT],
    ['x32', 'execve', X32_SYSCALL_BIT + 520],
    ['x32', 'cachestat', X32_SYSCALL_BIT + 451],
    ['aarch64', 'io_setup', 0],
    ['aarch64', 'newfstatat', 79],
    ['arm', 'restart_syscall', 0],
    ['arm', 'set_tls', 0xf_0005],
  ] as const)('knows %s %s', (architecture, name, number) => {
    expect(syscallNumber(architecture, name)).toBe(number)
  })

  it.each([
    ['x32', 'uselib'],
    ['aarch64', 'open'],
    ['x86', 'accept'],
    ['x86_64', 'nosuchcall'],
    ['x86_64', ''],
    ['x86_64', '__proto__'],
    ['x86_64', '334'],
  ] as const)('knows no %s %s', (architecture, name) => {
    expect(syscallNumber(architecture, name)).toBeUndefined()
  })

  it.for(HEADERS)('agrees with the headers of %s', ([architecture, flags], { skip }) => {
    const macros = headerNumbers(flags)
    if (macros === undefined) return skip('needs gcc and linux-libc-dev of that architecture')
    const wrong = [...macros].filter(
      ([name, number]) => syscallNumber(architecture, name) !== number,
    )
    expect(wrong).toEqual([])
  })
})

describe('syscallName()', () => {
  it.each(ARCHITECTURES)('is the inverse of syscallNumber() on %s', (architecture) => {
    const { names } = syscallTable(architecture)
    const wrong = names.filter((name) => {
      const number = syscallNumber(architecture, name)
      return number === undefined || syscallName(architecture, number) !== name
    })
    expect(wrong).toEqual([])
    expect(syscallName(architecture, 0x7fff_ffff)).toBeUndefined()
  })
})

describe('syscallTable()', () => {
  it.each(ARCHITECTURES)('has the calls of %s once each, in ascending order', (architecture) => {
    const { names, numbers } = syscallTable(architecture)
    expect(new Set(names).size).toBe(numbers.length)
    expect([...new Set(numbers)].sort((a, b) => a - b)).toEqual(numbers)
  })
})

describe('highestSyscallNumber()', () => {
  it.each(ARCHITECTURES)('leaves the numbers apart of %s out', (architecture) => {
    const base = architecture === 'x32' ? X32_SYSCALL_BIT : 0
    expect(highestSyscallNumber(architecture)).toBe(base + 471)
  })

  it('knows where they are', () => {
    expect(outOfSequence('x32')).toEqual({
      first: syscallNumber('x32', 'rt_sigaction'),
      last: syscallNumber('x32', 'pwritev2'),
    })
    expect(outOfSequence('x86_64')).toBeUndefined()
  })
})

/** Undefined without a compiler or that architecture's headers. */
function headerNumbers(flags: readonly string[]): ReadonlyMap<string, number> | undefined {
  let text: string
  try {
    text = execFileSync('gcc', ['-E', '-dM', '-nostdinc', ...flags, '-'], {
      input: '#include <asm/unistd.h>\n',
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    })
  } catch {
    return undefined
  }
  const macros = new Map([...text.matchAll(/^#define (\w+) (\w+)$/gm)].map((m) => [m[1], m[2]]))
  const numbers = new Map<string, number>()
  for (const [macro, value] of macros) {
    const [, name] = /^__NR_(\w+)$/.exec(macro ?? '') ?? []
    const number = Number(macros.get(value) ?? value)
    // asm-generic's limits, not calls.
    if (name === undefined || name === 'syscalls' || name === 'arch_specific_syscall') continue
    if (Number.isInteger(number)) numbers.set(name, number)
  }
  return numbers
}
