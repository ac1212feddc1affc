/** Holds the twins together: native-bindings/{wire-format,executor}.h and src/plan/wire-format.ts. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { RECORD_SIZE, RECORD_TYPES } from '../../src/native/executor-protocol.ts'
import type { Plan } from '../../src/plan/plan.ts'
import * as wire from '../../src/plan/wire-format.ts'

const header = read('native-bindings/wire-format.h')
const executor = read('native-bindings/executor.h')
const twin = read('src/plan/wire-format.ts')

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

function defined(name: string): number {
  const match = new RegExp(`#define ${name} \\(?(0x[0-9a-f]+|\\d+)u?(?: << (\\d+)\\))?`).exec(
    header,
  )
  if (match === null) throw new Error(`${name} is not defined`)
  return Number(match[1]) * 2 ** Number(match[2] ?? 0)
}

/** The constants of `enum name` as C counts them, prefix cut off, in lower case. */
function enumeration(text: string, name: string, prefix: string): Record<string, number> {
  // clang-format 14 takes `operator` for C++ and leaves the space out.
  const body = new RegExp(`enum ${name} ?\\{([^}]*)\\}`).exec(text)?.[1]
  if (body === undefined) throw new Error(`there is no enum ${name}`)
  const constants: Record<string, number> = {}
  let next = 0
  for (const item of body.replaceAll(/\/\/.*$/gm, '').split(',')) {
    const [, constant, value] = /^\s*(\w+)(?:\s*=\s*(\w+))?\s*$/.exec(item) ?? []
    if (constant === undefined || constant === `${prefix}LAST`) continue
    if (value !== undefined) next = Number(value)
    constants[constant.slice(prefix.length).toLowerCase()] = next++
  }
  return constants
}

interface Field {
  readonly at: number
  readonly size: number
  readonly count: number
}

/** Offsets of the fields of `struct name`; each must stand at a multiple of its size, so no padding. */
function layout(name: string): { fields: Map<string, Field>; size: number } {
  const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(header)?.[1]
  if (body === undefined) throw new Error(`there is no struct ${name}`)
  const fields = new Map<string, Field>()
  let size = 0
  for (const [, bits, field = '', length] of body.matchAll(/u?int(\d+)_t (\w+)(?:\[(\w+)\])?;/g)) {
    const width = Number(bits) / 8
    const count = length === undefined ? 1 : defined(length)
    expect(size % width, `${name}.${field} is aligned`).toBe(0)
    fields.set(field, { at: size, size: width, count })
    size += width * count
  }
  return { fields, size }
}

function comment(text: string, from: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/^( \*|\/\/) ?/, ''))
  const start = lines.indexOf(from)
  const end = lines.findIndex((line, i) => i > start && line.startsWith('classic BPF'))
  expect(start).toBeGreaterThan(0)
  expect(end).toBeGreaterThan(start)
  return lines.slice(start, end + 1)
}

const slot = (index: number) => ({ kind: 'slot', index, name: `s${index}` }) as const
const plan: Plan = {
  architecture: 'x86_64',
  instructions: [
    {
      op: 'sys',
      name: 'openat',
      args: [-100, slot(2), { kind: 'data', offset: 8, length: 5 }, 2n ** 63n, 4, 5],
      result: slot(1),
      tolerate: ['ENOENT', 'EEXIST', 'EPERM', 'EACCES', 'EIO', 'ENXIO'],
      origin: '',
    },
    { op: 'branch', condition: 'ge', left: slot(1), right: -1, target: 2, origin: '' },
  ],
  slots: [slot(0), slot(1), slot(2)],
  descriptors: ['report', 'other'],
  data: Buffer.alloc(13, 0xdd),
  relocations: [{ at: 8, target: 3 }],
}

describe('wire-format.h and wire-format.ts', () => {
  it('have the same text on the format', () => {
    const from =
      'A plan is one little-endian image that is checked whole before its first side effect:'
    expect(comment(twin, from)).toEqual(comment(header, from))
  })

  it('have the same constants', () => {
    expect(wire.PLAN_MAGIC).toBe(defined('PLAN_MAGIC'))
    expect(wire.PLAN_VERSION).toBe(defined('PLAN_VERSION'))
    expect(wire.NO_SLOT).toBe(defined('NO_SLOT'))
    expect(wire.TOLERATE_ALL).toBe(defined('TOLERATE_ALL'))
    expect(wire.MAX_OPERANDS).toBe(defined('OPERANDS'))
    expect(wire.MAX_TOLERATED).toBe(defined('TOLERATED'))
    expect(wire.MAX_PLAN_LENGTH).toBe(defined('PLAN_MAX_LENGTH'))
    expect(wire.REPORT_FAILED).toBe(defined('REPORT_FAILED'))
    expect(wire.PC_REFUSED).toBe(defined('PC_REFUSED'))
    expect(RECORD_TYPES.failed).toBe(defined('REPORT_FAILED'))
  })

  it('have the same opcodes, conditions, operators and refusals', () => {
    expect(wire.OPCODES).toEqual(enumeration(header, 'opcode', 'OP_'))
    expect(wire.CONDITIONS).toEqual(enumeration(header, 'condition', 'COND_'))
    expect(wire.OPERATORS).toEqual(enumeration(header, 'operator', 'OPERATOR_'))
    expect(Object.fromEntries(wire.REFUSALS.map((name, number) => [name, number]))).toEqual(
      enumeration(executor, 'refusal', 'REFUSED_'),
    )
  })

  it('have the same sizes', () => {
    expect(wire.HEADER_SIZE).toBe(layout('plan_header').size)
    expect(wire.INSTRUCTION_SIZE).toBe(layout('instruction').size)
    expect(wire.RELOCATION_SIZE).toBe(layout('relocation').size)
    expect(RECORD_SIZE).toBe(layout('report').size)
  })

  it('encodePlan() puts each field where the structs have it', () => {
    const image = wire.encodePlan(plan)
    const field = (struct: string, base: number, name: string, index = 0) => {
      const { at, size, count } = layout(struct).fields.get(name) ?? { at: NaN, size: 0, count: 0 }
      expect(index).toBeLessThan(count)
      const from = base + at + index * size
      return size === 8 ? image.readBigUInt64LE(from) : image.readUIntLE(from, size)
    }
    const head = (name: string) => field('plan_header', 0, name)
    expect(head('magic')).toBe(wire.PLAN_MAGIC)
    expect(head('version')).toBe(wire.PLAN_VERSION)
    expect(head('slot_count')).toBe(3)
    expect(head('total_length')).toBe(image.length)
    expect(head('instruction_count')).toBe(2)
    expect(head('relocation_count')).toBe(1)
    expect(head('data_length')).toBe(13)
    expect(head('descriptor_count')).toBe(2)
    expect(head('reserved16')).toBe(0)
    expect(head('reserved32')).toBe(0)

    const sys = (name: string, index?: number) => field('instruction', 32, name, index)
    const kinds = enumeration(header, 'operand_kind', 'KIND_')
    expect(sys('opcode')).toBe(1)
    expect(sys('aux')).toBe(0)
    expect(sys('result')).toBe(1)
    expect(sys('number')).toBe(257)
    expect([0, 1, 2, 3, 4, 5].map((i) => sys('kinds', i))).toEqual(
      ['immediate', 'slot', 'data', 'immediate', 'immediate', 'immediate'].map((k) => kinds[k]),
    )
    expect([0, 1, 2, 3, 4, 5].map((i) => sys('tolerated', i))).toEqual([2, 17, 1, 13, 5, 6])
    expect([0, 1, 2, 3, 4, 5].map((i) => sys('operands', i))).toEqual([
      2n ** 64n - 100n,
      2n,
      (5n << 32n) | 8n,
      2n ** 63n,
      4n,
      5n,
    ])

    const branch = (name: string, index?: number) => field('instruction', 32 + 72, name, index)
    expect(branch('opcode')).toBe(wire.OPCODES.branch)
    expect(branch('aux')).toBe(wire.CONDITIONS.ge)
    expect(branch('result')).toBe(wire.NO_SLOT)
    expect(branch('operands', 2)).toBe(2n)

    const places = wire.layoutOf(plan)
    expect(places).toEqual({ relocations: 176, data: 184, slots: 200, total: 224 })
    expect(field('relocation', places.relocations, 'at')).toBe(8)
    expect(field('relocation', places.relocations, 'target')).toBe(3)
    expect(image.subarray(places.data, places.slots)).toEqual(
      Buffer.concat([Buffer.alloc(13, 0xdd), Buffer.alloc(3)]),
    )
  })

  it('encodePlan() refuses what the format cannot hold', () => {
    const withArgs = (args: readonly number[]): Plan => ({
      ...plan,
      instructions: [{ op: 'sys', name: 'getpid', args, tolerate: [], origin: '' }],
    })
    expect(() => wire.encodePlan(withArgs([1, 2, 3, 4, 5, 6, 7]))).toThrow(RangeError)
    expect(() => wire.encodePlan(withArgs([1.5]))).toThrow('operand 1.5')
    expect(() => wire.encodePlan(withArgs([Number.NaN]))).toThrow(RangeError)
    expect(() => wire.encodePlan(withArgs([2 ** 64]))).toThrow(RangeError)
    const many = Array.from({ length: 65_535 }, (_, i) => slot(i))
    expect(() => wire.encodePlan({ ...plan, slots: many })).toThrow('65535 slots')
    expect(() => wire.encodePlan({ ...plan, data: Buffer.alloc(2 ** 28) })).toThrow(RangeError)
  })

  it('encodePlan() keeps safe integers of either sign', () => {
    const values = [
      0,
      1,
      -1,
      2 ** 31,
      -(2 ** 31),
      2 ** 32,
      -(2 ** 32) - 1,
      2 ** 53 - 1,
      1 - 2 ** 53,
    ]
    for (const value of values) {
      const image = wire.encodePlan({
        ...plan,
        instructions: [{ op: 'sys', name: 'getpid', args: [value], tolerate: [], origin: '' }],
      })
      expect(image.readBigInt64LE(32 + 24)).toBe(BigInt(value))
    }
  })
})
