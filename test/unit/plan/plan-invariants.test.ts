/** What must hold in every plan, whatever config it is of: the order in which a process gives up its rights. */
import { describe, expect, it } from 'vitest'
import { NAMESPACES } from '../../../src/linux/namespaces.ts'
import { O_CLOEXEC } from '../../../src/linux/open-flags.ts'
import { defaultRuntimeConfig } from '../../../src/oci/default-config.ts'
import type { Linux, Process, RuntimeConfig } from '../../../src/oci/runtime-config.ts'
import { compileCreate } from '../../../src/plan/compile-create.ts'
import { compileExec } from '../../../src/plan/compile-exec.ts'
import type { Operand, SysInstruction } from '../../../src/plan/instruction.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { OPTIONS } from '../../support/golden-plan.ts'

const PR_SET_DUMPABLE = 4
const PR_SET_NO_NEW_PRIVS = 38
const PR_CAPBSET_DROP = 24
const ONE_HOOK = [{ path: '/hook' }]
const FILTER = { program: new Uint8Array(8), flags: 0 }
const USER_MAPPING = [{ containerID: 0, hostID: 100_000, size: 65_536 }]

function configOf(linux: Linux, process: Partial<Process> = {}): RuntimeConfig {
  const config = defaultRuntimeConfig()
  return {
    ...config,
    process: { cwd: '/', ...config.process, ...process },
    linux: { ...config.linux, ...linux },
    hooks: { createContainer: ONE_HOOK, startContainer: ONE_HOOK },
  }
}

const namespaces = defaultRuntimeConfig().linux?.namespaces ?? []
const CONFIGS: Readonly<Record<string, RuntimeConfig>> = {
  'the default': configOf({}),
  'another user with groups': configOf(
    {},
    { user: { uid: 7, gid: 8, additionalGids: [9] }, noNewPrivileges: false },
  ),
  'a new user namespace': configOf({
    namespaces: [...namespaces, { type: 'user' }],
    uidMappings: USER_MAPPING,
    gidMappings: USER_MAPPING,
  }),
  'a joined user namespace': configOf({
    namespaces: [...namespaces, { type: 'user', path: '/proc/7/ns/user' }],
  }),
}
const JOINS_ALL = Object.values(NAMESPACES).reduce((flags, { cloneFlag }) => flags | cloneFlag, 0)
const NO_USER = JOINS_ALL & ~NAMESPACES.user.cloneFlag

function plans(): readonly (readonly [string, Plan])[] {
  const options = { ...OPTIONS, seccomp: FILTER, console: true, cgroup: true }
  return Object.entries(CONFIGS).flatMap(([name, config]) => [
    [`create with ${name}`, compileCreate(config, options)],
    ...[JOINS_ALL, NO_USER].map(
      (joinFlags) =>
        [
          `exec with ${name}, joining ${joinFlags.toString(16)}`,
          compileExec(config.process ?? { cwd: '/' }, config, { ...options, joinFlags }),
        ] as const,
    ),
  ])
}

const callsOf = ({ instructions }: Plan): readonly SysInstruction[] =>
  instructions.filter((instruction) => instruction.op === 'sys')
const isPrctl = (call: SysInstruction | undefined, option: number, value?: number): boolean =>
  call?.name === 'prctl' &&
  call.args[0] === option &&
  (value === undefined || call.args[1] === value)
const lastOf = (calls: readonly SysInstruction[], name: string): number =>
  calls.findLastIndex((call) => call.name === name)
const textAt = ({ data }: Plan, operand: Operand | undefined): string => {
  if (typeof operand !== 'object' || operand.kind !== 'data') return ''
  return Buffer.from(data.subarray(operand.offset, data.indexOf(0, operand.offset))).toString()
}

describe.each(plans())('%s', (_, plan) => {
  const calls = callsOf(plan)

  it('is undumpable before anything else, and again after each change of ids (CVE-2016-9962)', () => {
    expect(isPrctl(calls[0], PR_SET_DUMPABLE, 0)).toBe(true)
    const changes = calls.filter(
      ({ name, args }) =>
        /^setres[ug]id$/.test(name) ||
        (name === 'setns' && (Number(args[1]) & NAMESPACES.user.cloneFlag) !== 0),
    )
    expect(changes.length).toBeGreaterThan(0)
    for (const change of changes)
      expect(isPrctl(calls[calls.indexOf(change) + 1], PR_SET_DUMPABLE, 0)).toBe(true)
    expect(calls.filter((call) => isPrctl(call, PR_SET_DUMPABLE, 1))).toEqual([])
  })

  it('closes on exec whatever is left, and opens nothing behind that (CVE-2024-21626)', () => {
    const closing = calls.findLastIndex(
      ({ name, args }) => name === 'close_range' && args[0] === 3 && args[2] === 4,
    )
    expect(closing).toBeGreaterThan(0)
    const after = calls.slice(closing + 1).map(({ name }) => name)
    expect(after.filter((name) => !['seccomp', 'capset', 'execve'].includes(name))).toEqual([])
    expect(after.at(-1)).toBe('execve')
  })

  it('opens no descriptor that would survive an exec', () => {
    for (const call of calls.filter(({ name }) => name === 'openat'))
      expect([call.note, Number(call.args[2]) & O_CLOEXEC]).toEqual([call.note, O_CLOEXEC])
  })

  it('gives up its groups before its ids, and the bounding set while it still may', () => {
    const gid = lastOf(calls, 'setresgid')
    const uid = lastOf(calls, 'setresuid')
    expect(lastOf(calls, 'setgroups')).toBeLessThan(gid)
    expect(gid).toBeLessThan(uid)
    const drops = calls.filter((call) => isPrctl(call, PR_CAPBSET_DROP))
    expect(drops.length).toBeGreaterThan(0)
    for (const drop of drops) expect(calls.indexOf(drop)).toBeLessThan(gid)
    expect(lastOf(calls, 'setgroups')).toBeGreaterThan(0)
    expect(lastOf(calls, 'capset')).toBeGreaterThan(uid)
  })

  it('installs the filter last, under no_new_privs or with the capability taken back', () => {
    const filter = lastOf(calls, 'seccomp')
    const rest = calls.slice(filter + 1).map(({ name }) => name)
    const isSealed = calls.findIndex((call) => isPrctl(call, PR_SET_NO_NEW_PRIVS, 1))
    if (isSealed >= 0) expect(isSealed).toBeLessThan(filter)
    expect(rest[0]).toBe(isSealed >= 0 ? 'execve' : 'capset')
    expect(new Set(rest.slice(1))).toEqual(rest.length > 1 ? new Set(['execve']) : new Set())
  })

  it('mounts by descriptor only, and resolves no path of the container by its name', () => {
    for (const { name, args, note } of calls) {
      expect(['mount', 'chroot', 'mknod', 'symlink', 'mkdir', 'open']).not.toContain(name)
      if (name === 'move_mount' && note === undefined) {
        expect([textAt(plan, args[1]), textAt(plan, args[3])]).toEqual(['', ''])
      }
    }
  })

  it('checks where it is after it has changed its directory for the last time', () => {
    expect(lastOf(calls, 'getcwd')).toBeGreaterThan(lastOf(calls, 'chdir'))
  })
})
