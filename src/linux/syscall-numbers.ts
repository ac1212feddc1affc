/** System call names and numbers of every architecture a container on x86_64 or aarch64 can use. */

import { AARCH64_CALLS } from './syscall-numbers-aarch64.ts'
import { ARM_CALLS } from './syscall-numbers-arm.ts'
import { X86_CALLS } from './syscall-numbers-x86.ts'
import { NOT_IN_X32, X32_OWN_CALLS, X86_64_CALLS } from './syscall-numbers-x86-64.ts'

export type SyscallArchitecture = 'x86_64' | 'x86' | 'x32' | 'aarch64' | 'arm'

/** asm/unistd.h of x86: marks a call made with the x32 ABI; part of every x32 number. */
export const X32_SYSCALL_BIT = 0x4000_0000

/** Numbers that stand apart from the common sequence and say nothing about a kernel's age. */
export interface NumberRange {
  readonly first: number
  readonly last: number
}

/**
 * x32's own calls (closed in 2015, syscall_64.tbl: "do not add new") and __ARM_NR_*, which ARM's
 * kernel handles apart from the table.
 */
const OUT_OF_SEQUENCE: Partial<Readonly<Record<SyscallArchitecture, NumberRange>>> = {
  x32: { first: X32_SYSCALL_BIT + 512, last: X32_SYSCALL_BIT + 547 },
  arm: { first: 0xf_0000, last: 0xf_07ff },
}

/** Parallel lists, in ascending order of the numbers. */
export interface SyscallTable {
  readonly names: readonly string[]
  readonly numbers: readonly number[]
}

interface Lookups {
  readonly byName: ReadonlyMap<string, number>
  readonly byNumber: ReadonlyMap<number, string>
}

/** Parsed on first use: the OCI command line asks for a dozen calls of one architecture. */
const tables = new Map<SyscallArchitecture, SyscallTable>()
const lookups = new Map<SyscallArchitecture, Lookups>()

/** The number of system call `name`, undefined when `architecture` has no such call. */
export function syscallNumber(architecture: SyscallArchitecture, name: string): number | undefined {
  return lookupsOf(architecture).byName.get(name)
}

/** The name of system call `number`, undefined when `architecture` has none of that number. */
export function syscallName(architecture: SyscallArchitecture, number: number): string | undefined {
  return lookupsOf(architecture).byNumber.get(number)
}

/** All calls of `architecture`. */
export function syscallTable(architecture: SyscallArchitecture): SyscallTable {
  let table = tables.get(architecture)
  if (table === undefined) {
    table = parseTable(architecture)
    tables.set(architecture, table)
  }
  return table
}

/** The newest call of the common sequence that this build knows; see {@link outOfSequence}. */
export function highestSyscallNumber(architecture: SyscallArchitecture): number {
  const first = outOfSequence(architecture)?.first ?? Infinity
  return syscallTable(architecture).numbers.findLast((number) => number < first) ?? 0
}

/** The numbers of `architecture`, above all others, that were not handed out as calls were added. */
export function outOfSequence(architecture: SyscallArchitecture): NumberRange | undefined {
  return OUT_OF_SEQUENCE[architecture]
}

function lookupsOf(architecture: SyscallArchitecture): Lookups {
  let found = lookups.get(architecture)
  if (found === undefined) {
    const { names, numbers } = syscallTable(architecture)
    const byName = new Map<string, number>()
    const byNumber = new Map<number, string>()
    names.forEach((name, i) => {
      const number = numbers[i] ?? 0
      byName.set(name, number)
      byNumber.set(number, name)
    })
    found = { byName, byNumber }
    lookups.set(architecture, found)
  }
  return found
}

function parseTable(architecture: SyscallArchitecture): SyscallTable {
  switch (architecture) {
    case 'x86_64':
      return parseCalls(X86_64_CALLS, 0)
    case 'x86':
      return parseCalls(X86_CALLS, 0)
    case 'x32':
      return parseX32()
    case 'aarch64':
      return parseCalls(AARCH64_CALLS, 0)
    case 'arm':
      return parseCalls(ARM_CALLS, 0)
  }
}

/** A word that starts with a digit sets the next number; every other word is a name. */
function parseCalls(text: string, base: number): SyscallTable {
  const names: string[] = []
  const numbers: number[] = []
  let next = base
  for (const word of wordsOf(text)) {
    if (word.charCodeAt(0) <= 0x39) {
      next = base + Number(word)
    } else {
      names.push(word)
      numbers.push(next++)
    }
  }
  return { names, numbers }
}

/** x32 shares x86_64's numbers but for the calls that have their own, all higher, or are missing. */
function parseX32(): SyscallTable {
  const own = parseCalls(X32_OWN_CALLS, X32_SYSCALL_BIT)
  const left = new Set(own.names)
  for (const name of wordsOf(NOT_IN_X32)) left.add(name)
  const common = syscallTable('x86_64')
  const names: string[] = []
  const numbers: number[] = []
  common.names.forEach((name, i) => {
    if (left.has(name)) return
    names.push(name)
    numbers.push(X32_SYSCALL_BIT + (common.numbers[i] ?? 0))
  })
  return { names: [...names, ...own.names], numbers: [...numbers, ...own.numbers] }
}

/** Without a regular expression: compiling one takes longer than the rest of the parsing. */
function wordsOf(text: string): readonly string[] {
  return text.trim().replaceAll('\n', ' ').split(' ')
}
