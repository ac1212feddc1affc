import { describe, expect, test } from 'vitest'
import { compileDeviceFilter } from '../../../src/cgroup/device-filter.ts'
import type { DeviceRule } from '../../../src/oci/runtime-config.ts'

const TYPES: Readonly<Record<string, number>> = { b: 1, c: 2 }
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 }

/** Runs the few eBPF instructions that the compiler uses; checks as the verifier does that all are reachable. */
function isAllowed(
  program: Uint8Array,
  type: string,
  major: number,
  minor: number,
  access: string,
): boolean {
  const bytes = Buffer.from(program)
  const bits = [...access].reduce((sum, letter) => sum | (ACCESS[letter] ?? 0), 0)
  const context = [(bits << 16) | (TYPES[type] ?? 0), major, minor]
  const registers = new Array<number>(10).fill(0)
  for (let pc = 0; ; ) {
    const code = bytes.readUInt8(pc * 8)
    const destination = bytes.readUInt8(pc * 8 + 1) & 15
    const source = bytes.readUInt8(pc * 8 + 1) >> 4
    const offset = bytes.readInt16LE(pc * 8 + 2)
    const immediate = bytes.readInt32LE(pc * 8 + 4)
    const value = registers[destination] ?? 0
    pc++
    if (code === 0x61) registers[destination] = context[offset / 4] ?? 0
    else if (code === 0xbf) registers[destination] = registers[source] ?? 0
    else if (code === 0xb7) registers[destination] = immediate
    else if (code === 0x57) registers[destination] = value & immediate
    else if (code === 0x77) registers[destination] = value >>> immediate
    else if (code === 0x55) pc += value !== immediate ? offset : 0
    else if (code === 0x45) pc += (value & immediate) !== 0 ? offset : 0
    else if (code === 0x05) pc += offset
    else if (code === 0x95) return registers[0] === 1
    else throw new Error(`unknown instruction ${code}`)
  }
}

/** The rules in words: the last rule that names an access bit of a device decides that bit. */
function expected(
  rules: readonly DeviceRule[],
  type: string,
  major: number,
  minor: number,
  access: string,
): boolean {
  return [...access].every((bit) => {
    const rule = rules.findLast(
      (candidate) =>
        (candidate.type === undefined || candidate.type === 'a' || candidate.type === type) &&
        (candidate.type === undefined ||
          candidate.type === 'a' ||
          (((candidate.major ?? -1) < 0 || candidate.major === major) &&
            ((candidate.minor ?? -1) < 0 || candidate.minor === minor))) &&
        (candidate.access ?? 'rwm').includes(bit),
    )
    return rule?.allow === true
  })
}

const ACCESSES = ['r', 'w', 'm', 'rw', 'rm', 'wm', 'rwm']

describe('compileDeviceFilter()', () => {
  test('without rules only the default devices can be used', () => {
    const program = compileDeviceFilter([])
    expect(isAllowed(program, 'c', 1, 3, 'rw')).toBe(true)
    expect(isAllowed(program, 'c', 136, 7, 'rwm')).toBe(true)
    expect(isAllowed(program, 'b', 8, 0, 'r')).toBe(false)
    expect(isAllowed(program, 'b', 8, 0, 'm')).toBe(true)
    expect(isAllowed(program, 'c', 1, 11, 'r')).toBe(false)
  })

  test('allows everything for a privileged container', () => {
    const program = compileDeviceFilter([{ allow: true, access: 'rwm' }])
    expect(isAllowed(program, 'b', 8, 0, 'rwm')).toBe(true)
  })

  test('agrees with the rules on random lists [config-linux.md#allowed-device-list/1]', () => {
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed % below
    }
    for (let round = 0; round < 300; round++) {
      const rules: DeviceRule[] = Array.from({ length: random(6) }, () => ({
        allow: random(2) === 0,
        type: ['a', 'b', 'c'][random(3)] ?? 'a',
        // Numbers that no default rule names.
        ...(random(2) === 0 ? {} : { major: 40 + random(3) }),
        ...(random(2) === 0 ? {} : { minor: 20 + random(3) }),
        access: ACCESSES[random(ACCESSES.length)] ?? 'rwm',
      }))
      const program = compileDeviceFilter(rules)
      for (const access of ['r', 'w', 'rw']) {
        for (const [type, major, minor] of [
          ['b', 40, 20],
          ['c', 41, 21],
          ['c', 42, 22],
          ['b', 77, 1],
        ] as const) {
          expect(isAllowed(program, type, major, minor, access)).toBe(
            expected(rules, type, major, minor, access),
          )
        }
      }
    }
  })

  test('refuses unknown types and accesses by name', () => {
    expect(() => compileDeviceFilter([{ allow: true, type: 'x' }])).toThrow(
      'device rule of type "x"',
    )
    expect(() => compileDeviceFilter([{ allow: true, type: 'c', access: 'rx' }])).toThrow(
      'access "rx"',
    )
    expect(() => compileDeviceFilter([{ allow: true, type: '__proto__' }])).toThrow(
      'type "__proto__"',
    )
  })
})
