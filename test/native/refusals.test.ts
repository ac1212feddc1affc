/** The loader's no: each way a plan can be malformed, in-process and by tsrun-init. */
import { closeSync, openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { sealedExecutable, startExecutable } from '../../src/native/executor.ts'
import { nativeLibrary } from '../../src/native/library.ts'
import { reap, sealedMemfd, seqpacketPair } from '../../src/native/syscalls.ts'
import {
  encodePlan,
  HEADER_SIZE,
  INSTRUCTION_SIZE,
  layoutOf,
  type OPCODES,
  PC_REFUSED,
  REFUSALS,
} from '../../src/plan/wire-format.ts'
import { newPlan, runInit } from './start-init.ts'

const EXIT_REFUSED = 120

/** One instruction of each kind, one relocation, 116 bytes of data, some slots, one descriptor. */
function samplePlan() {
  const { b, report } = newPlan()
  const value = b.slot('value')
  const end = b.label()
  const data = b.zeros(21)
  const pointer = b.words([data])
  b.run('getpid', [report, data, pointer])
  b.branch(value, 'lt', 5, end)
  b.compute(value, 'add', 1, value)
  b.set(value, 3)
  b.load(4, data, 0)
  b.store(4, data, 0, value)
  b.place(end)
  b.exit(0)
  b.fail(5)
  b.clone(b.zeros(88))
  return b.finish()
}

const plan = samplePlan()
const places = layoutOf(plan)
const at = Object.fromEntries(
  ['sys', 'branch', 'compute', 'set', 'load', 'store', 'exit', 'fail', 'clone'].map((name, i) => [
    name,
    HEADER_SIZE + i * INSTRUCTION_SIZE,
  ]),
) as Record<keyof typeof OPCODES | 'set', number>

type Refusal = (typeof REFUSALS)[number]
type Case = readonly [refusal: Refusal, what: string, change: (image: Buffer) => Buffer | undefined]

const u8 = (offset: number, value: number) => (image: Buffer) => {
  image.writeUInt8(value, offset)
  return undefined
}
const u16 = (offset: number, value: number) => (image: Buffer) => {
  image.writeUInt16LE(value, offset)
  return undefined
}
const u32 = (offset: number, value: number) => (image: Buffer) => {
  image.writeUInt32LE(value, offset)
  return undefined
}
const u64 = (offset: number, value: bigint) => (image: Buffer) => {
  image.writeBigUInt64LE(value, offset)
  return undefined
}
const copyOf = (image: Uint8Array) => {
  const copy = Buffer.alloc(image.length)
  copy.set(image)
  return copy
}
const longer = (added: number) => (image: Buffer) =>
  copyOf(Buffer.concat([image, Buffer.alloc(added)]))
const shorter = (length: number) => (image: Buffer) => copyOf(image.subarray(0, length))
const operand = (instruction: keyof typeof at, i: number) => at[instruction] + 24 + i * 8
const kind = (instruction: keyof typeof at, i: number) => at[instruction] + 4 + i

const CASES: readonly Case[] = [
  ['header', 'another magic', u32(0, 0x50525355)],
  ['header', 'a later version', u16(4, 2)],
  ['header', 'version 0', u16(4, 0)],
  ['header', 'more descriptors than slots', u16(24, plan.slots.length + 1)],
  ['header', '65535 slots', u16(6, 0xffff)],
  ['length', 'a truncated header', shorter(31)],
  ['length', 'one byte', shorter(1)],
  ['length', 'eight bytes less', shorter(places.total - 8)],
  ['length', 'eight bytes more', longer(8)],
  ['length', 'one byte more', longer(1)],
  ['length', 'another total_length', u32(8, places.total - 8)],
  ['length', 'an instruction more than there are', u32(12, plan.instructions.length + 1)],
  ['length', '2^32-1 instructions', u32(12, 0xffffffff)],
  ['length', 'instructions whose bytes wrap around 2^32', u32(12, 0x80000000)],
  ['length', '2^32-1 relocations', u32(16, 0xffffffff)],
  ['length', '2^32-1 bytes of data', u32(20, 0xffffffff)],
  ['length', 'data that takes in the slots', u32(20, plan.data.length + 8)],
  ['length', 'a slot less', u16(6, plan.slots.length - 1)],
  ['reserved', 'reserved16', u16(26, 1)],
  ['reserved', 'reserved32', u32(28, 0x80000000)],
  ['opcode', 'opcode 0', u8(at.exit, 0)],
  ['opcode', 'opcode 10', u8(at.exit, 10)],
  ['opcode', 'opcode 255', u8(at.exit, 255)],
  ['aux', 'a system call with aux', u8(at.sys + 1, 1)],
  ['aux', 'condition 0', u8(at.branch + 1, 0)],
  ['aux', 'condition 7', u8(at.branch + 1, 7)],
  ['aux', 'operator 0', u8(at.compute + 1, 0)],
  ['aux', 'operator 8', u8(at.compute + 1, 8)],
  ['aux', 'width 0', u8(at.load + 1, 0)],
  ['aux', 'width 3', u8(at.load + 1, 3)],
  ['aux', 'width 16', u8(at.store + 1, 16)],
  ['aux', 'a width above the extent', u8(at.load + 1, 8)],
  ['aux', 'a store to an immediate', u8(kind('store', 0), 0)],
  ['aux', 'an exit with aux', u8(at.exit + 1, 1)],
  ['aux', 'a fail with aux', u8(at.fail + 1, 1)],
  ['aux', 'a clone with aux', u8(at.clone + 1, 1)],
  ['result', 'a result behind the slots', u16(at.sys + 2, plan.slots.length)],
  ['result', 'result 65534', u16(at.sys + 2, 0xfffe)],
  ['result', 'a branch with a result', u16(at.branch + 2, 0)],
  ['result', 'a store with a result', u16(at.store + 2, 0)],
  ['result', 'an exit with a result', u16(at.exit + 2, 0)],
  ['result', 'a fail with a result', u16(at.fail + 2, 0)],
  ['result', 'a compute without', u16(at.compute + 2, 0xffff)],
  ['result', 'a load without', u16(at.load + 2, 0xffff)],
  ['result', 'a clone without', u16(at.clone + 2, 0xffff)],
  ['operand', 'kind 3', u8(kind('sys', 0), 3)],
  ['operand', 'kind 255 of an operand that is not used', u8(kind('exit', 5), 255)],
  ['operand', 'a slot behind the slots', u64(operand('sys', 0), BigInt(plan.slots.length))],
  ['operand', 'a slot of 2^32', u64(operand('sys', 0), 1n << 32n)],
  ['operand', 'a slot of -1', u64(operand('sys', 0), (1n << 64n) - 1n)],
  ['operand', 'an offset behind the data', u32(operand('sys', 1), plan.data.length + 1)],
  ['operand', 'an extent that leaves the data', u32(operand('sys', 1) + 4, plan.data.length + 1)],
  ['operand', 'an extent that wraps around', u64(operand('sys', 1), (0xffffffffn << 32n) | 8n)],
  ['operand', 'a load behind the data', u32(operand('load', 0), plan.data.length - 3)],
  ['operand', 'a clone of an immediate', u8(kind('clone', 0), 0)],
  ['operand', 'a clone whose arguments are cut short', u32(operand('clone', 0) + 4, 87)],
  ['target', 'a jump to itself', u64(operand('branch', 2), 1n)],
  ['target', 'a jump back', u64(operand('branch', 2), 0n)],
  [
    'target',
    'a jump behind the end',
    u64(operand('branch', 2), BigInt(plan.instructions.length + 1)),
  ],
  ['target', 'a jump to 2^32 and on', u64(operand('branch', 2), (1n << 32n) | 2n)],
  [
    'target',
    'a jump to where a slot says',
    (image) => u8(kind('branch', 2), 1)(image) ?? u64(operand('branch', 2), 1n)(image),
  ],
  ['relocation', 'an unaligned place', u32(places.relocations, 4)],
  ['relocation', 'a place behind the data', u32(places.relocations, plan.data.length)],
  ['relocation', 'a place at 2^32-8', u32(places.relocations, 0xfffffff8)],
  ['relocation', 'a target behind the data', u32(places.relocations + 4, plan.data.length + 1)],
  ['relocation', 'a target of 2^32-1', u32(places.relocations + 4, 0xffffffff)],
  ['reserved', 'a number without a system call', u16(at.branch + 10, 1)],
  ['reserved', 'tolerance without a system call', u16(at.compute + 22, 1)],
  ['reserved', 'a fourth operand of a branch', u64(operand('branch', 3), 1n)],
  ['reserved', 'a third operand of a compute', u64(operand('compute', 2), 1n)],
  ['reserved', 'a second operand of a set', u64(operand('set', 1), 1n)],
  ['reserved', 'a second operand of a load', u64(operand('load', 1), 1n)],
  ['reserved', 'a third operand of a store', u8(kind('store', 2), 1)],
  ['reserved', 'a second operand of an exit', u64(operand('exit', 1), 1n)],
  ['reserved', 'a second operand of a fail', u64(operand('fail', 1), 1n)],
  ['reserved', 'a second operand of a clone', u64(operand('clone', 1), 1n)],
]

function changed(change: Case[2]): Buffer {
  const image = encodePlan(plan)
  return change(image) ?? image
}

describe('tsrun_run()', () => {
  it('runs the plan that the cases change', () => {
    expect(nativeLibrary().run(encodePlan(plan))).toBe(0)
  })

  it.each(CASES)('refuses by %s: %s', (refusal, _, change) => {
    const image = changed(change)
    const before = Buffer.from(image)
    expect(REFUSALS[-nativeLibrary().run(image)]).toBe(refusal)
    expect(image.equals(before)).toBe(true)
  })

  it('covers each refusal', () => {
    expect([...new Set(CASES.map(([refusal]) => refusal))].sort()).toEqual(REFUSALS.slice(1).sort())
  })

  it('accepts data operands and relocations that end with the data', () => {
    const length = plan.data.length
    for (const change of [
      u64(operand('sys', 1), BigInt(length)),
      u64(operand('sys', 1), BigInt(length) << 32n),
      u64(operand('sys', 1), (1n << 32n) | BigInt(length - 1)),
      u32(places.relocations + 4, length),
    ]) {
      expect(nativeLibrary().run(changed(change))).toBe(0)
    }
  })

  it('refuses an image at an odd address', () => {
    const image = encodePlan(plan)
    const shifted = Buffer.alloc(image.length + 4)
    shifted.set(image, 4)
    expect(REFUSALS[-nativeLibrary().run(shifted.subarray(4))]).toBe('length')
  })
})

describe('tsrun-init', () => {
  it('reports each refusal before the first side effect', () => {
    for (const [refusal, what, change] of CASES) {
      const { event, exit } = runInit(changed(change))
      expect(event, what).toEqual({
        type: 'failed',
        pc: PC_REFUSED,
        errno: REFUSALS.indexOf(refusal),
      })
      expect(exit, what).toEqual({ exitCode: EXIT_REFUSED, signal: 0 })
    }
  })

  it('refuses an empty plan file', () => {
    const { event, exit } = runInit(Buffer.alloc(0))
    expect(event).toEqual({ type: 'failed', pc: PC_REFUSED, errno: REFUSALS.indexOf('length') })
    expect(exit?.exitCode).toBe(EXIT_REFUSED)
  })

  it('refuses a plan that is no file', () => {
    const [ours, theirs] = seqpacketPair()
    using closing = theirs
    using closingOurs = ours
    const child = startExecutable(
      sealedExecutable('tsrun-init').fd,
      ['tsrun-init', '1'],
      [0, closing.fd, closingOurs.fd],
    )
    expect(reap(child.pidfd.fd, true)).toEqual({ exitCode: EXIT_REFUSED, signal: 0 })
    child.pidfd.close()
  })

  it.each([
    [[]],
    [['']],
    [['x']],
    [['-1']],
    [['1x']],
    [['99999999999999999999']],
    [['1', 'x']],
    [['1', '2', '3']],
  ])('refuses the arguments %j', (args: readonly string[]) => {
    using image = sealedMemfd('plan', encodePlan(plan), false)
    const devNull = openSync('/dev/null', 'r+')
    const child = startExecutable(
      sealedExecutable('tsrun-init').fd,
      ['tsrun-init', ...args],
      [image.fd, image.fd, devNull],
    )
    expect(reap(child.pidfd.fd, true)).toEqual({ exitCode: EXIT_REFUSED, signal: 0 })
    child.pidfd.close()
    closeSync(devNull)
  })
})
