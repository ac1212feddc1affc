/** The plans of whole verbs: golden text, and what every one of them must keep to. */
import { describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../../../src/oci/runtime-config.ts'
import { formatPlan } from '../../../../src/plan/format-plan.ts'
import { compileDeletePlan } from '../../../../src/runtime/verb-plans/delete-plan.ts'
import { compileStartPlan } from '../../../../src/runtime/verb-plans/start-plan.ts'
import { DONE, TO_ENGINE } from '../../../../src/runtime/verb-plans/verb-plan.ts'
import {
  encodeVerbRecord,
  RECORD_AT,
  RECORD_FLAGS,
  RECORD_SIZE,
  recordFlags,
} from '../../../../src/runtime/verb-plans/verb-record.ts'

const PLANS = {
  start: compileStartPlan('x86_64'),
  delete: compileDeletePlan('x86_64', false),
  'delete-force': compileDeletePlan('x86_64', true),
}
const ARCHITECTURES = ['x86_64', 'aarch64'] as const

/** Room for a text that the plan finds in its data later: the root, the id, a cgroup. */
const ROOM = /"(?:\\u0000)+…"/g

describe.each(Object.entries(PLANS))('the plan of %s', (name, plan) => {
  it('reads as it did', async () => {
    const text = formatPlan(plan).replaceAll(ROOM, '"…"')
    await expect(`${text}
`).toMatchFileSnapshot(`../../../golden/verb-${name}.txt`)
  })

  it('fails at nothing: whatever the kernel says is an answer', () => {
    for (const instruction of plan.instructions) {
      expect(instruction.op).not.toBe('fail')
      if (instruction.op === 'sys')
        expect([instruction.name, instruction.tolerate]).toEqual([instruction.name, ['*']])
    }
  })

  it('closes every descriptor that it opened before it hands on', () => {
    const opened = new Set<number>()
    const closed = new Set<number>()
    for (const instruction of plan.instructions) {
      if (instruction.op !== 'sys') continue
      const [argument] = instruction.args
      if (['openat', 'socket', 'pidfd_open'].includes(instruction.name))
        opened.add(instruction.result?.index ?? -1)
      if (instruction.name === 'close' && typeof argument === 'object' && argument.kind === 'slot')
        closed.add(argument.index)
    }
    expect(opened.size).toBeGreaterThan(3)
    expect([...closed].sort()).toEqual([...opened].sort())
    expect(plan.instructions.slice(-2)).toMatchObject([
      { op: 'exit', status: TO_ENGINE },
      { op: 'exit', status: DONE },
    ])
  })

  it('opens nothing that an exec would inherit', () => {
    const O_CLOEXEC = 0o2000000
    for (const instruction of plan.instructions) {
      if (instruction.op !== 'sys' || instruction.name !== 'openat') continue
      expect(Number(instruction.args[2]) & O_CLOEXEC).toBe(O_CLOEXEC)
    }
  })
})

it.each(ARCHITECTURES)('the plans are the same steps on %s', (architecture) => {
  const names = (plan: typeof PLANS.start): readonly string[] =>
    plan.instructions.map((instruction) =>
      instruction.op === 'sys' ? instruction.name : instruction.op,
    )
  expect(names(compileStartPlan(architecture))).toEqual(names(PLANS.start))
  expect(names(compileDeletePlan(architecture, true))).toEqual(names(PLANS['delete-force']))
})

describe('recordFlags()', () => {
  const { start, delete: remove } = RECORD_FLAGS
  const hook = { path: '/bin/true' }
  const config = (change: Partial<RuntimeConfig>): RuntimeConfig => ({
    ociVersion: '1.3.0',
    process: { cwd: '/', args: ['true'] },
    ...change,
  })

  it.each<[string, Partial<RuntimeConfig>, number]>([
    ['an ordinary container', {}, start | remove],
    ['empty lists of hooks', { hooks: { poststart: [], poststop: [] } }, start | remove],
    [
      'hooks of create',
      { hooks: { createRuntime: [hook], createContainer: [hook] } },
      start | remove,
    ],
    ['startContainer hooks', { hooks: { startContainer: [hook] } }, remove],
    ['poststart hooks', { hooks: { poststart: [hook] } }, remove],
    ['poststop hooks', { hooks: { poststop: [hook] } }, start],
    ['both', { hooks: { poststart: [hook], poststop: [hook] } }, 0],
    ['a resctrl group', { linux: { intelRdt: {} } }, start],
    [
      'a seccomp agent',
      {
        linux: {
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            listenerPath: '/agent',
            syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
          },
        },
      },
      remove,
    ],
  ])('says what a plan may do for %s', (_, change, expected) => {
    expect(recordFlags(config(change), false)).toBe(expected)
  })

  it('leaves what systemd made, and what has no process, to the engine', () => {
    expect(recordFlags(config({}), true)).toBe(start)
    expect(recordFlags({ ociVersion: '1.3.0' }, false)).toBe(remove)
  })
})

describe('encodeVerbRecord()', () => {
  const record = {
    pid: 7,
    flags: 3,
    state: { ino: 2n ** 63n + 5n, size: 300n, mtimeNs: 12_000_000_034n },
    cgroup: '/sys/fs/cgroup/tsrun/ü',
  }

  it('puts every field where the plans look', () => {
    const bytes = encodeVerbRecord(record) ?? Buffer.alloc(0)
    expect(bytes.toString('latin1', 0, 4)).toBe('TSRV')
    expect(bytes.readInt32LE(RECORD_AT.pid)).toBe(7)
    expect(bytes.readUInt32LE(RECORD_AT.flags)).toBe(3)
    const words = [0, 8, 16, 24].map((at) => bytes.readBigUInt64LE(RECORD_AT.state + at))
    expect(words).toEqual([2n ** 63n + 5n, 300n, 12n, 34n])
    expect(bytes.toString('utf8', RECORD_AT.cgroup)).toBe('/sys/fs/cgroup/tsrun/ü\0')
  })

  it('gives up where the path is longer than the plans read', () => {
    const room = RECORD_SIZE - RECORD_AT.cgroup
    expect(encodeVerbRecord({ ...record, cgroup: 'x'.repeat(room - 1) })).toHaveLength(RECORD_SIZE)
    expect(encodeVerbRecord({ ...record, cgroup: 'x'.repeat(room) })).toBeUndefined()
  })
})
