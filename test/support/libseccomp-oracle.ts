/** Compiles seccomp profiles with libseccomp, by the steps of runc's libcontainer/seccomp. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Seccomp, SeccompArgument } from '../../src/oci/runtime-config.ts'

export interface OracleFilter {
  /** errno with which libseccomp refused a rule, ETIMEDOUT when it did not end, 0 when it took all. */
  readonly error: number
  readonly program: Uint8Array
}

/** A compiled harness; disposing removes it. */
export interface LibseccompOracle extends Disposable {
  /** The filter for `profile`; `withoutNative` leaves x86_64 out, as on another host. */
  compile(profile: Seccomp, withoutNative: boolean): OracleFilter
}

/** SCMP_ACT_* of seccomp.h. */
const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}

/** The oracle, or the reason why there is none here. */
export function openLibseccompOracle(): LibseccompOracle | string {
  const folder = mkdtempSync(join(tmpdir(), 'tsrun-libseccomp-'))
  const command = join(folder, 'oracle')
  const source = fileURLToPath(new URL('libseccomp-oracle.c', import.meta.url))
  const built = spawnSync('gcc', ['-O1', '-o', command, source, '-lseccomp'], { encoding: 'utf8' })
  if (built.status !== 0) {
    rmSync(folder, { recursive: true })
    return `needs gcc and libseccomp-dev: ${built.error?.message ?? built.stderr.split('\n')[0]}`
  }
  return {
    compile: (profile, withoutNative) => compile(command, profile, withoutNative),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

/** A process for each: libseccomp 2.5.4 never comes back from some profiles. */
function compile(command: string, profile: Seccomp, withoutNative: boolean): OracleFilter {
  const input = describe(profile, withoutNative)
  const done = spawnSync(command, { input, timeout: 10_000, maxBuffer: 1 << 24 })
  if (done.signal === 'SIGTERM') return { error: constants.errno.ETIMEDOUT, program: done.stdout }
  if (done.status !== 0) throw new Error(`libseccomp-oracle: ${done.stderr.toString()}`)
  return { error: done.stdout.readUInt32LE(0), program: done.stdout.subarray(8) }
}

function describe(profile: Seccomp, withoutNative: boolean): string {
  const defaultAction = filterReturn(profile.defaultAction, profile.defaultErrnoRet)
  const rules = (profile.syscalls ?? []).flatMap(({ names, action, errnoRet, args = [] }) =>
    names.flatMap((name) => {
      const value = filterReturn(action, errnoRet)
      if (value === defaultAction) return []
      const repeats = new Set(args.map(({ index }) => index)).size < args.length
      const alternatives = repeats ? args.map((argument) => [argument]) : [args]
      return alternatives.map(
        (all) => `rule ${value} ${name} ${all.length}${all.map(describeArgument).join('')}\n`,
      )
    }),
  )
  // runc turns the binary tree on above 32 rules.
  const lines = [`begin ${defaultAction} ${rules.length > 32 ? 2 : 1}\n`]
  for (const name of profile.architectures ?? [])
    lines.push(`arch ${name.replace('SCMP_ARCH_', '').toLowerCase()}\n`)
  if (withoutNative) lines.push('drop-native\n')
  return [...lines, ...rules, 'end\n'].join('')
}

function describeArgument({ index, op, value, valueTwo = 0 }: SeccompArgument): string {
  return ` ${index} ${op.replace('SCMP_CMP_', '')} ${BigInt(value)} ${BigInt(valueTwo)}`
}

/** What a filter returns for `action`. */
export function filterReturn(action: string, data = 1): number {
  const value = ACTIONS[action] ?? -1
  return action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? value + data : value
}
