/** createContainer and startContainer hooks, which run in the container's namespaces (runtime-spec config.md "POSIX-platform Hooks"). */

import { CLONE_PIDFD } from '../../linux/namespaces.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from '../../linux/open-flags.ts'
import type { Hook, HookKind } from '../../oci/runtime-config.ts'
import type { DataRef, Slot } from '../instruction.ts'
import { HOOK_STATUS } from '../plan.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { CreateContext, ProcessContext } from './create-context.ts'
import { hasNamespace } from './create-context.ts'
import { CLONE_ARGS_SIZE } from './kernel-structs.ts'
import { emitSync } from './report-records.ts'
import { emitSeccompOfHook } from './seccomp.ts'

const SIGCHLD = 17
const SIGKILL = 9
const ETIMEDOUT = 110
const WALL = 0x40000000
const CLOSE_RANGE_CLOEXEC = 4
const POLLIN = 1
const PID_FIELD = 16
const MFD_CLOEXEC = 1
const STDERR_LIMIT = 4096

/** Where the state document of the in-container hooks is: one copy per status. */
export type HookState = Readonly<Partial<Record<HookKind, DataRef>>>

/** The state JSON of runtime.md with room for the pid: spaces before a number are valid JSON. */
function stateTemplate(
  c: CreateContext,
  id: string,
  status: string,
): { text: string; pidAt: number } {
  const head = `{"ociVersion":${JSON.stringify(c.config.ociVersion)},"id":${JSON.stringify(id)},"status":"${status}","pid":`
  const tail = `,"bundle":${JSON.stringify(c.bundle)},"annotations":${JSON.stringify(c.config.annotations ?? {})}}`
  const pid = '1'.padStart(PID_FIELD)
  return { text: head + pid + tail, pidAt: Buffer.byteLength(head) }
}

/**
 * Hands control to Node for the prestart and createRuntime hooks; Node's reply carries the pid as
 * text for the hooks that the plan runs itself. In a new pid namespace that is 1.
 */
export function emitHookState(c: CreateContext, id: string): HookState {
  const hooks = c.config.hooks ?? {}
  const isFirst = hasNamespace(c.config, 'pid', 'new')
  const has = (kind: HookKind): boolean => (hooks[kind] ?? []).length > 0
  const own = has('createContainer') || has('startContainer')
  let pid: DataRef | undefined
  if (has('prestart') || has('createRuntime') || (own && !isFirst))
    pid = emitSync(c.b, c.report, 'hooks')
  const state: Partial<Record<HookKind, DataRef>> = {}
  for (const [kind, status] of [
    ['createContainer', 'creating'],
    ['startContainer', 'created'],
  ] as const) {
    if (!has(kind)) continue
    const { text, pidAt } = stateTemplate(c, id, status)
    const ref = c.b.bytes(Buffer.from(text))
    if (pid !== undefined && !isFirst) copyPid(c.b, pid, ref, pidAt)
    state[kind] = ref
  }
  return state
}

function copyPid(b: PlanBuilder, from: DataRef, to: DataRef, at: number): void {
  for (let i = 0; i < PID_FIELD; i += 8) b.store(8, to, at + i, b.load(8, from, i))
}

/**
 * Runs in the container's namespaces, with the host's root still in place and the container's as
 * the working directory: hooks written for runc name files there by relative paths.
 */
export function emitCreateContainerHooks(c: CreateContext, state: HookState, root: Slot): void {
  if (state.createContainer !== undefined)
    c.b.at('/hooks/createContainer', () => c.b.run('fchdir', [root]))
  emitHooks(c, 'createContainer', state.createContainer)
}

/** Runs after the start gate, inside the container, as the container's user. */
export function emitStartContainerHooks(c: ProcessContext): void {
  emitHooks(c, 'startContainer', c.hookState?.startContainer)
}

function emitHooks(c: ProcessContext, kind: HookKind, state: DataRef | undefined): void {
  if (state === undefined) return
  ;(c.config.hooks?.[kind] ?? []).forEach((hook, i) => {
    c.b.at(`/hooks/${kind}/${i}`, () => emitHook(c, kind, hook, state))
  })
}

// The state is the hook's standard input as a memfd: no pipe that a hook which does not read it
// could break or block. Its standard error is another, for the case that it fails.
function emitHook(c: ProcessContext, kind: HookKind, hook: Hook, state: DataRef): void {
  const { b } = c
  const input = b.sys('memfd_create', [b.string('state'), MFD_CLOEXEC])
  const errors = b.sys('memfd_create', [b.string('stderr'), MFD_CLOEXEC])
  b.run('write', [input, state, state.length])
  b.run('lseek', [input, 0, 0])
  const pidfd = b.zeros(8)
  const clone = b.words([CLONE_PIDFD, pidfd, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0])
  const parent = b.label()
  const pid = b.sys('clone3', [clone, CLONE_ARGS_SIZE])
  b.branch(pid, 'ne', 0, parent)
  emitHookChild(c, kind, hook, input, errors)
  b.place(parent)
  b.run('close', [input])
  emitAwaitHook(b, hook, pid, b.load(4, pidfd), errors)
  b.run('close', [errors])
}

function emitHookChild(
  c: ProcessContext,
  kind: HookKind,
  hook: Hook,
  input: Slot,
  errors: Slot,
): void {
  const { b } = c
  b.run('dup3', [input, 0, 0])
  const sink = b.sys('openat', [AT_FDCWD, b.string('/dev/null'), O_RDWR | O_CLOEXEC, 0], {
    tolerate: ['*'],
  })
  b.run('dup3', [sink, 1, 0], { tolerate: ['EBADF'] })
  b.run('dup3', [errors, 2, 0])
  b.run('close_range', [3, 0xffffffff, CLOSE_RANGE_CLOEXEC])
  const argv = b.stringArray(hook.args ?? [hook.path])
  // A program of the container: it gets the environment of the process, and no more rights.
  const inside = kind === 'startContainer'
  const envp = b.stringArray(hook.env ?? (inside ? (c.process.env ?? []) : []))
  if (inside) emitSeccompOfHook(c)
  b.run('execve', [b.string(hook.path), argv, envp], { note: hook.path })
}

function emitAwaitHook(b: PlanBuilder, hook: Hook, pid: Slot, pidfd: Slot, errors: Slot): void {
  const succeeded = b.label()
  const timedOut = hook.timeout === undefined ? undefined : emitHookTimeout(b, hook.timeout, pidfd)
  const status = b.zeros(8)
  b.run('wait4', [pid, status, WALL, 0])
  b.run('close', [pidfd])
  if (timedOut !== undefined) {
    const inTime = b.label()
    b.branch(timedOut, 'eq', 0, inTime)
    b.fail(ETIMEDOUT, `it ran longer than its timeout of ${hook.timeout} s`)
    b.place(inTime)
  }
  const ended = b.load(4, status)
  b.branch(ended, 'eq', 0, succeeded)
  emitPassErrors(b, errors)
  b.fail(ended, HOOK_STATUS)
  b.place(succeeded)
}

/** Shows what a failed hook wrote on the standard error of the container. */
function emitPassErrors(b: PlanBuilder, errors: Slot): void {
  const nothing = b.label()
  const text = b.zeros(STDERR_LIMIT)
  b.run('lseek', [errors, 0, 0])
  const length = b.sys('read', [errors, text, STDERR_LIMIT])
  b.branch(length, 'eq', 0, nothing)
  b.run('write', [2, text, length], { tolerate: ['*'] })
  b.place(nothing)
}

/** Kills the hook once `seconds` are over; the slot is then 1. */
function emitHookTimeout(b: PlanBuilder, seconds: number, pidfd: Slot): Slot {
  const ended = b.label()
  const timedOut = b.slot('timed out')
  b.set(timedOut, 0)
  const polled = b.zeros(8)
  b.store(4, polled, 0, pidfd)
  b.store(2, polled, 4, POLLIN)
  const ready = b.sys('ppoll', [polled, 1, b.words([seconds, 0]), 0, 8])
  b.branch(ready, 'gt', 0, ended)
  b.run('pidfd_send_signal', [pidfd, SIGKILL, 0, 0], { tolerate: ['ESRCH'] })
  b.set(timedOut, 1)
  b.place(ended)
  return timedOut
}
