/** Each opcode of the executor against a reference in TypeScript, alone and in random programs. */
import { describe, expect, it } from 'vitest'
import { errnoNumber } from '../../src/linux/errno.ts'
import { hostArchitecture, nativeLibrary } from '../../src/native/library.ts'
import { newBatch, runBatch } from '../../src/native/run-batch.ts'
import type { Condition, DataRef, Instruction, Operator, Slot } from '../../src/plan/instruction.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { PlanBuilder } from '../../src/plan/plan-builder.ts'
import { CONDITIONS, encodePlan, layoutOf, OPERATORS } from '../../src/plan/wire-format.ts'
import { compute, holds, interpret, type Outcome } from './plan-model.ts'

const MIN = -(2n ** 63n)
const MAX = 2n ** 63n - 1n
const VALUES = [
  0n,
  1n,
  -1n,
  2n,
  63n,
  64n,
  65n,
  2n ** 31n,
  -(2n ** 31n),
  2n ** 32n,
  MIN,
  MAX,
  MIN + 1n,
]

/** The system calls of random programs and what they answer here. */
const CALLS: ReadonlyMap<string, number> = new Map([
  ['getpid', process.pid],
  ['fsync', -errnoNumber('EBADF')],
  ['sched_yield', 0],
])

function runNatively(plan: Plan): Outcome {
  const image = encodePlan(plan)
  const layout = layoutOf(plan)
  const result = nativeLibrary().run(image)
  const slots = plan.slots.map((_, i) => image.readBigInt64LE(layout.slots + i * 8))
  return { result, slots, data: image.subarray(layout.data, layout.data + plan.data.length) }
}

function runModel(plan: Plan): Outcome {
  return interpret(plan, (name) => CALLS.get(name) ?? 0, errnoNumber)
}

/** A small generator (mulberry32), so that a failing program can be made again. */
function generator(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

function randomPlan(seed: number): Plan {
  const random = generator(seed)
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
  const slots = Array.from(
    { length: 1 + random(8) },
    (_, index): Slot => ({ kind: 'slot', index, name: `s${index}` }),
  )
  const dataLength = 8 + random(40)
  const count = 1 + random(40)
  const value = () => pick([() => pick(slots), () => pick(VALUES), () => random(300) - 20])()
  const place = (width: number): DataRef => {
    const offset = random(dataLength - width + 1)
    return { kind: 'data', offset, length: width + random(dataLength - offset - width + 1) }
  }
  const origin = `seed ${seed}`
  const make = (pc: number): Instruction => {
    const width = pick([1, 2, 4, 8] as const)
    const tolerate = pick([[], ['*'], ['EBADF'], ['EIO', 'ENOENT', 'EBADF']])
    const name = pick([...CALLS.keys()])
    const [left, right, result] = [value(), value(), pick(slots)]
    const target = pc + 1 + random(count - pc)
    const condition = pick(Object.keys(CONDITIONS) as Condition[])
    const operator = pick(Object.keys(OPERATORS) as Operator[])
    return pick<() => Instruction>([
      () => ({ op: 'sys', name, args: [-1], ...(random(2) ? { result } : {}), tolerate, origin }),
      () => ({ op: 'branch', condition, left, right, target, origin }),
      () => ({ op: 'branch', condition, left, right, target, origin }),
      () => ({
        op: 'compute',
        operator,
        result,
        left,
        right: operator === 'set' ? 0 : right,
        origin,
      }),
      () => ({
        op: 'compute',
        operator,
        result,
        left,
        right: operator === 'set' ? 0 : right,
        origin,
      }),
      () => ({ op: 'load', width, result, from: place(width), origin }),
      () => ({ op: 'load', width, result, from: place(width), origin }),
      () => ({ op: 'store', width, to: place(width), value: value(), origin }),
      () => ({ op: 'store', width, to: place(width), value: value(), origin }),
      () =>
        random(4) > 0
          ? { op: 'compute', operator: 'add', result, left, right, origin }
          : random(2)
            ? { op: 'fail', error: value(), origin }
            : { op: random(2) ? 'exit' : 'extend', status: value(), from: value(), origin },
    ])()
  }
  return {
    architecture: hostArchitecture(),
    instructions: Array.from({ length: count }, (_, pc) => make(pc)),
    slots,
    descriptors: slots.slice(0, random(slots.length + 1)).map(({ name }) => name),
    data: Buffer.from(Array.from({ length: dataLength }, () => random(256))),
    relocations: [],
  }
}

describe('branch', () => {
  it.each(Object.keys(CONDITIONS) as Condition[])(
    '%s compares signed 64-bit values',
    (condition) => {
      const b = newBatch()
      const pairs = VALUES.flatMap((left) => VALUES.map((right) => [left, right] as const))
      const taken = pairs.map(([left, right], i) => {
        const result = b.slot(`taken ${i}`)
        const label = b.label()
        b.set(result, 1)
        b.branch(left, condition, right, label)
        b.set(result, 0)
        b.place(label)
        return result
      })
      const result = runBatch(b)
      pairs.forEach(([left, right], i) => {
        const slot = taken[i] as Slot
        expect(result.value(slot), `${left} ${right}`).toBe(Number(holds(condition, left, right)))
      })
    },
  )

  it('goes on behind the last instruction', () => {
    const b = newBatch()
    const end = b.label()
    b.jump(end)
    b.fail(5)
    b.place(end)
    expect(nativeLibrary().run(encodePlan(b.finish()))).toBe(0)
  })
})

describe('compute', () => {
  it.each(Object.keys(OPERATORS) as Operator[])('%s wraps around at 64 bits', (operator) => {
    const b = newBatch()
    const pairs = VALUES.flatMap((left) => VALUES.map((right) => [left, right] as const))
    const slots = pairs.map(([left, right], i) => {
      const slot = b.slot(`value ${i}`)
      if (operator === 'set') b.set(slot, left)
      else b.compute(left, operator, right, slot)
      return slot
    })
    const plan = b.finish()
    const outcome = runNatively(plan)
    pairs.forEach(([left, right], i) => {
      const got = outcome.slots[(slots[i] as Slot).index]
      expect(got, `${left} ${operator} ${right}`).toBe(compute(operator, left, right))
    })
  })
})

describe('load and store', () => {
  it.each([1, 2, 4, 8] as const)('move %d bytes at any offset and touch no others', (width) => {
    for (let offset = 0; offset <= 16 - width; offset++) {
      const b = newBatch()
      const data = b.bytes(Buffer.alloc(16, 0xee))
      b.store(width, data, offset, -0x7766554433221101n)
      const loaded = b.load(width, data, offset)
      const { slots, data: bytes } = runNatively(b.finish())
      const expected = Buffer.alloc(16, 0xee)
      const value = Buffer.alloc(8)
      value.writeBigInt64LE(-0x7766554433221101n)
      value.copy(expected, offset, 0, width)
      expect(bytes).toEqual(expected)
      const unsigned = BigInt.asUintN(width * 8, -0x7766554433221101n)
      expect(slots[loaded.index]).toBe(BigInt.asIntN(64, unsigned))
    }
  })
})

describe('sys', () => {
  it('fails on an errno that is not tolerated, with its pc', () => {
    const b = newBatch()
    b.sys('getpid', [])
    b.run('fsync', [-1], { tolerate: ['ENOENT', 'EIO', 'EPERM', 'EINVAL', 'EACCES', 'EROFS'] })
    expect(runNatively(b.finish()).result).toBe(2 * 65_536 + errnoNumber('EBADF'))
  })

  it('goes on with -errno in its slot when the errno is tolerated', () => {
    for (const tolerate of [
      ['EBADF'],
      ['*'],
      ['EPERM', 'ENOENT', 'EIO', 'EACCES', 'ESRCH', 'EBADF'],
    ]) {
      const b = newBatch()
      const result = b.sys('fsync', [-1], { tolerate })
      expect(runBatch(b).value(result)).toBe(-errnoNumber('EBADF'))
    }
  })

  it('takes immediates, slots and data as operands, six of them', () => {
    const b = newBatch()
    const length = b.slot('length')
    const fd = b.slot('fd')
    b.set(length, 4096)
    const address = b.sys('mmap', [0, length, 3, 0x22, fd, 0])
    const unaligned = b.sys('mmap', [0, length, 3, 0x22, fd, 1], { tolerate: ['EINVAL'] })
    b.run('munmap', [address, length])
    const name = b.zeros(390)
    b.run('uname', [name])
    const result = runBatch(b)
    expect(result.value(address)).toBeGreaterThan(4096)
    expect(result.value(unaligned)).toBe(-errnoNumber('EINVAL'))
    expect(result.bytes(name).toString('latin1')).toMatch(/^Linux\0/)
  })

  it('starts slots at -1 and the first at the descriptors', () => {
    const b = new PlanBuilder(hostArchitecture())
    b.descriptor('first')
    b.descriptor('second')
    b.slot('third')
    // In-process plans get no descriptors: theirs count from -1.
    expect(runNatively(b.finish()).slots).toEqual([-1n, 0n, -1n])
  })

  it('sees relocated addresses', () => {
    const b = newBatch()
    const text = b.string('behind a pointer')
    const pointer = b.words([text])
    const address = b.load(8, pointer)
    const difference = b.compute(address, 'sub', text)
    expect(runBatch(b).value(difference)).toBe(0)
  })

  it('keeps the name, the origin and the errno of a failure', () => {
    const b = newBatch()
    b.at('/mounts/3', () => b.run('openat', [-100, b.string('/no/such'), 0, 0]))
    expect(() => runBatch(b)).toThrow(
      expect.objectContaining({ syscall: 'openat', code: 'ENOENT', path: '/mounts/3', errno: 2 }),
    )
  })
})

describe('fail and exit', () => {
  it('fail reports an errno of either sign, and EINVAL for what is none', () => {
    for (const [error, errno] of [
      [5, 5],
      [-5, 5],
      [0, 0],
      [4095, 4095],
      [-4095, 4095],
      [4096, 22],
      [-4096, 22],
      [2 ** 32 + 2, 22],
      [MIN, 22],
      [MAX, 22],
    ] as const) {
      const b = newBatch()
      b.sys('getpid', [])
      b.fail(error)
      expect(runNatively(b.finish()).result, `${error}`).toBe(2 * 65_536 + errno)
    }
  })

  it('exit ends a batch without a failure', () => {
    const b = newBatch()
    const value = b.slot('value')
    b.exit(3)
    b.set(value, 1)
    expect(runNatively(b.finish())).toMatchObject({ result: 0, slots: [-1n] })
  })
})

describe('extend', () => {
  it('fails in a batch, whose results stand in the image that was given', () => {
    const b = newBatch()
    b.extend(0)
    expect(runNatively(b.finish()).result).toBe(65_536 + errnoNumber('ENOSYS'))
  })
})

describe('clone', () => {
  it('fails in a batch: Node is not to be copied', () => {
    const b = newBatch()
    b.clone(b.zeros(88))
    expect(runNatively(b.finish()).result).toBe(65_536 + errnoNumber('ENOSYS'))
  })
})

describe('run_plan()', () => {
  it('agrees with the model on 3,000 random programs', () => {
    const ends = { zero: 0, failed: 0 }
    for (let seed = 1; seed <= 3000; seed++) {
      const plan = randomPlan(seed)
      const expected = runModel(plan)
      expect(runNatively(plan), `seed ${seed}`).toEqual(expected)
      ends[expected.result === 0 ? 'zero' : 'failed']++
    }
    expect(ends.zero).toBeGreaterThan(500)
    expect(ends.failed).toBeGreaterThan(500)
  })

  it('runs 60,000 system calls in one batch', () => {
    const b = newBatch()
    const sum = b.slot('sum')
    const pid = b.slot('pid')
    b.set(sum, 0)
    for (let i = 0; i < 60_000; i++) {
      b.sys('getpid', [], { into: pid })
      b.compute(sum, 'add', pid, sum)
    }
    expect(runBatch(b).value(sum)).toBe(process.pid * 60_000)
  })
})
