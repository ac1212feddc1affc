/** Turns "instruction 117 failed with 13" into the sentence that a user reads. */
import { type ErrorKind, TsrunError } from '../errors.ts'
import { errnoName, errnoText } from '../linux/errno.ts'
import { signalName } from '../linux/signals.ts'
import { decodeWaitStatus } from '../linux/wait-status.ts'
import { hostArchitecture } from '../native/library.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { callOf, type Instruction } from '../plan/instruction.ts'
import { HOOK_STATUS, type Plan } from '../plan/plan.ts'
import { PC_NOT_STARTED, PC_REFUSED, REFUSALS } from '../plan/wire-format.ts'
import { executableHint, HEAD_SIZE } from './executable-hint.ts'
import { failureHint } from './failure-hints.ts'
import { hookName } from './hooks.ts'
import { mountHint } from './mount-hint.ts'
import { namespaceHint } from './namespace-hint.ts'
import { readInRootfs } from './read-in-rootfs.ts'

/** The failed instruction, for `--debug` and tests. */
export class PlanError extends TsrunError {
  readonly index: number
  readonly instruction: Instruction | undefined
  readonly origin: string

  constructor(
    kind: ErrorKind,
    message: string,
    index: number,
    instruction: Instruction | undefined,
    code: string,
    options: { hint?: string; exitCode?: number },
  ) {
    super(kind, message, { errno: code, ...options })
    this.name = 'PlanError'
    this.index = index
    this.instruction = instruction
    this.origin = instruction?.origin ?? ''
  }
}

/**
 * The error for a `failed` report of `plan`, which was compiled from `config` with `args` as its process.
 * `rootfs` is where the container's files can be looked at.
 */
export function explainFailure(
  plan: Plan,
  config: RuntimeConfig,
  args: readonly string[],
  pc: number,
  errno: number,
  rootfs?: string,
): PlanError {
  if (pc === PC_REFUSED) {
    return new PlanError(
      'internal',
      `the executor refused the plan: bad ${REFUSALS[errno] ?? errno}`,
      pc,
      undefined,
      'EINVAL',
      {},
    )
  }
  const code = errnoName(errno)
  if (pc === PC_NOT_STARTED) {
    return new PlanError(
      'internal',
      `cannot start tsrun-init: ${code} (${errnoText(code)})`,
      pc,
      undefined,
      code,
      {
        hint: 'every container needs a process more than its own: look at ulimit -u, and pids.max of the cgroup',
      },
    )
  }
  const instruction = plan.instructions[pc]
  if (instruction?.origin === '/process/args/0')
    return explainExec({ instruction, config, rootfs, name: args[0] ?? '', pc, code })
  if (instruction?.note === HOOK_STATUS) return explainHook(instruction, config, pc, errno)
  const origin = instruction === undefined ? '' : `${describeOrigin(instruction.origin, config)}: `
  const message = `${origin}${describeCall(instruction)}: ${code} (${errnoText(code)})`
  const hint =
    (isRefusedNamespace(instruction, code) || isDeniedUser(code) ? namespaceHint() : undefined) ??
    mountHint(instruction, config, code) ??
    failureHint(instruction, code)
  return new PlanError(
    kindOf(code),
    message,
    pc,
    instruction,
    code,
    hint === undefined ? {} : { hint },
  )
}

/** A hook that the plan ran came back with the wait status `status`. */
function explainHook(
  instruction: Instruction,
  config: RuntimeConfig,
  pc: number,
  status: number,
): PlanError {
  const { exitCode, signal } = decodeWaitStatus(status)
  const name = signalName(signal)
  const filtered = name === 'SIGSYS' ? ' (bad system call)' : ''
  const text = signal === 0 ? `exit status ${exitCode}` : `it was killed by ${name}${filtered}`
  return new PlanError(
    'failed-precondition',
    `${describeOrigin(instruction.origin, config)}: ${text}`,
    pc,
    instruction,
    'ECANCELED',
    filtered !== '' ? { hint: 'linux.seccomp does not let this hook do its work' } : {},
  )
}

interface ExecFailure {
  readonly instruction: Instruction
  readonly config: RuntimeConfig
  readonly rootfs: string | undefined
  readonly name: string
  readonly pc: number
  readonly code: string
}

function isRefusedNamespace(instruction: Instruction | undefined, code: string): boolean {
  const call = instruction === undefined ? '' : callOf(instruction)
  return ['clone3', 'unshare'].includes(call) && ['EPERM', 'EACCES', 'ENOSPC'].includes(code)
}

// AppArmor lets users make namespaces and takes the rights in them away: it is some later call that fails then.
function isDeniedUser(code: string): boolean {
  return process.geteuid?.() !== 0 && ['EPERM', 'EACCES'].includes(code)
}

/** What the file itself and the mount it is on say about the refusal. */
function hintOf({ instruction, config, rootfs, name, code }: ExecFailure): string | undefined {
  const path = instruction.note?.startsWith('/') === true ? instruction.note : name
  return executableHint(code, {
    path,
    head:
      rootfs !== undefined && path.startsWith('/')
        ? readInRootfs(rootfs, path, HEAD_SIZE)
        : undefined,
    mounts: config.mounts ?? [],
    architecture: hostArchitecture(),
  })
}

// runc's words: podman, containerd and dockerd derive 126 and 127 from them.
function explainExec(failure: ExecFailure): PlanError {
  const { instruction, name, pc, code } = failure
  const quoted = JSON.stringify(name)
  const isLookup = instruction.op !== 'sys' || instruction.name !== 'execve'
  if (code === 'ENOENT' && isLookup) {
    const text = name.includes('/')
      ? `stat ${name}: no such file or directory`
      : 'executable file not found in $PATH'
    return new PlanError(
      'not-found',
      `unable to start container process: exec: ${quoted}: ${text}`,
      pc,
      instruction,
      code,
      { exitCode: 127 },
    )
  }
  const hint = hintOf(failure)
  const exitCode = code === 'ENOENT' || code === 'ENOTDIR' ? 127 : 126
  // Found but refused by execve(2): runc names it without quotes then.
  const program = isLookup ? `exec: ${quoted}` : `exec ${name}`
  const text = `unable to start container process: ${program}: ${errnoText(code).toLowerCase()}`
  return new PlanError(kindOf(code), text, pc, instruction, code, {
    exitCode,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** `/mounts/2` as `error mounting mounts[2] (/proc)`; the first words are runc's. */
function describeOrigin(origin: string, config: RuntimeConfig): string {
  if (!origin.startsWith('/')) return origin
  const [, kind = '', index = ''] = origin.slice(1).split('/')
  if (origin.startsWith('/hooks/'))
    return `error running ${hookName(kind, index)}: ${subjectOf(origin, config)}`
  const path = origin
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (text, part) =>
        /^\d+$/.test(part) ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
      '',
    )
  const subject = subjectOf(origin, config)
  const place = origin.startsWith('/mounts/') ? `error mounting ${path}` : path
  return subject === undefined ? place : `${place} (${subject})`
}

function subjectOf(origin: string, config: RuntimeConfig): string | undefined {
  const [section = '', key = '', index = ''] = origin.slice(1).split('/')
  if (section === 'mounts') return config.mounts?.[Number(key)]?.destination
  if (section === 'hooks') return config.hooks?.[key as 'prestart']?.[Number(index)]?.path
  if (section === 'root') return config.root?.path
  if (section === 'process' && key === 'cwd') return config.process?.cwd
  if (section !== 'linux') return undefined
  if (key === 'maskedPaths' || key === 'readonlyPaths') return config.linux?.[key]?.[Number(index)]
  if (key === 'devices') return config.linux?.devices?.[Number(index)]?.path
  if (key === 'namespaces' && index !== '') {
    const namespace = config.linux?.namespaces?.[Number(index)]
    return namespace === undefined
      ? undefined
      : [namespace.type, namespace.path].filter(Boolean).join(' ')
  }
  return undefined
}

function describeCall(instruction: Instruction | undefined): string {
  if (instruction === undefined) return 'the plan'
  const note = instruction.note
  const call = callOf(instruction)
  if (call === '') return note ?? instruction.op
  return note === undefined ? call : `${call} ${note}`
}

function kindOf(code: string): ErrorKind {
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return 'permission-denied'
    case 'ENOENT':
      return 'not-found'
    case 'EINVAL':
      return 'invalid-argument'
    default:
      return 'failed-precondition'
  }
}
