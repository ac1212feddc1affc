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

interface Table {
  readonly numbers: ReadonlyMap<string, number>
  readonly highest: number
  /** Made when a name is first asked for: few processes ever do. */
  names?: ReadonlyMap<number, string>
}

/** Parsed on first use: the OCI command line asks for a dozen calls of one architecture. */
const tables = new Map<SyscallArchitecture, Table>()

/** The number of system call `name`, undefined when `architecture` has no such call. */
export function syscallNumber(architecture: SyscallArchitecture, name: string): number | undefined {
  return tableOf(architecture).numbers.get(name)
}

/** All calls of `architecture`, in the order of their numbers. */
export function syscallNumbers(architecture: SyscallArchitecture): ReadonlyMap<string, number> {
  return tableOf(architecture).numbers
}

/** The name of system call `number`, undefined when `architecture` has none of that number. */
export function syscallName(architecture: SyscallArchitecture, number: number): string | undefined {
  const table = tableOf(architecture)
  table.names ??= new Map([...table.numbers].map(([name, value]) => [value, name]))
  return table.names.get(number)
}

/** The newest call of the common sequence that this build knows; see {@link outOfSequence}. */
export function highestSyscallNumber(architecture: SyscallArchitecture): number {
  return tableOf(architecture).highest
}

/** The numbers of `architecture` that were not handed out in the order in which calls were added. */
export function outOfSequence(architecture: SyscallArchitecture): NumberRange | undefined {
  return OUT_OF_SEQUENCE[architecture]
}

function tableOf(architecture: SyscallArchitecture): Table {
  let table = tables.get(architecture)
  if (table === undefined) {
    const numbers = parseTable(architecture)
    table = { numbers, highest: highestInSequence(numbers, outOfSequence(architecture)) }
    tables.set(architecture, table)
  }
  return table
}

function parseTable(architecture: SyscallArchitecture): ReadonlyMap<string, number> {
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
function parseCalls(text: string, base: number): Map<string, number> {
  const numbers = new Map<string, number>()
  let next = base
  for (const word of text.trim().split(/\s+/)) {
    if (word.charCodeAt(0) <= 0x39) next = base + Number(word)
    else numbers.set(word, next++)
  }
  return numbers
}

/** x32 shares x86_64's numbers but for the calls that have their own or are missing. */
function parseX32(): ReadonlyMap<string, number> {
  const own = parseCalls(X32_OWN_CALLS, X32_SYSCALL_BIT)
  const missing = new Set(NOT_IN_X32.trim().split(/\s+/))
  const numbers = new Map<string, number>()
  for (const [name, number] of parseCalls(X86_64_CALLS, X32_SYSCALL_BIT)) {
    if (!own.has(name) && !missing.has(name)) numbers.set(name, number)
  }
  for (const [name, number] of own) numbers.set(name, number)
  return numbers
}

function highestInSequence(
  numbers: ReadonlyMap<string, number>,
  apart: NumberRange | undefined,
): number {
  let highest = 0
  for (const number of numbers.values()) {
    const counts = apart === undefined || number < apart.first || number > apart.last
    if (counts && number > highest) highest = number
  }
  return highest
}
