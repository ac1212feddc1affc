/** Hooks that run outside the container: prestart, createRuntime, poststart, poststop (runtime-spec config.md). */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { TsrunError } from '../errors.ts'
import { trySyscall } from '../native/syscalls.ts'
import type { Hook, HookKind, RuntimeConfig } from '../oci/runtime-config.ts'

/** The state document that hooks read from standard input. */
export interface HookState {
  readonly ociVersion: string
  readonly id: string
  readonly status: string
  readonly pid?: number
  readonly bundle: string
  readonly annotations?: Readonly<Record<string, string>>
}

const STDERR_LIMIT = 4096

/**
 * Runs the hooks of `kind` in order; throws at the first that fails, naming it and what it wrote to stderr.
 * `signal` kills the one that runs, and is thrown.
 */
export async function runHooks(
  config: RuntimeConfig,
  kind: HookKind,
  state: HookState,
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, hook] of (config.hooks?.[kind] ?? []).entries()) {
    signal?.throwIfAborted()
    await runHook(hookName(kind, index), hook, state, signal)
  }
}

/** The hooks after a container is gone: every one runs, and the failures are returned, which are warnings. */
export async function runPoststopHooks(
  config: RuntimeConfig,
  id: string,
  bundle: string,
): Promise<readonly unknown[]> {
  const { ociVersion, annotations = {} } = config
  const state: HookState = { ociVersion, id, status: 'stopped', bundle, annotations }
  const failures: unknown[] = []
  for (const [index, hook] of (config.hooks?.poststop ?? []).entries()) {
    try {
      await runHook(hookName('poststop', index), hook, state)
    } catch (error) {
      failures.push(error)
    }
  }
  return failures
}

/** A hook as callers of runc know it. */
export function hookName(kind: string, index: number | string): string {
  return `${kind} hook #${index}`
}

// What our caller left open without close-on-exec is not for hooks (the leaks of CVE-2024-21626).
function keepDescriptors(): void {
  const CLOSE_RANGE_CLOEXEC = 4 // Linux 5.11; older kernels keep the caller's leaks.
  trySyscall('close_range', [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC])
}

function runHook(name: string, hook: Hook, state: HookState, abort?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void => {
      reject(
        new TsrunError('failed-precondition', `error running ${name}: ${hook.path}: ${detail}`, {
          cause,
        }),
      )
    }
    const [argv0 = hook.path, ...args] = hook.args ?? [hook.path]
    keepDescriptors()
    const child = spawn(hook.path, args, {
      argv0,
      env: environmentOf(hook.env ?? []),
      // The bundle may be gone when poststop hooks run.
      cwd: existsSync(state.bundle) ? state.bundle : '/',
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: false,
    })
    let stderr = ''
    let timedOut = false
    const timer =
      hook.timeout === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true
            child.kill('SIGKILL')
          }, hook.timeout * 1000)
    const stop = (): void => {
      child.kill('SIGKILL')
    }
    abort?.addEventListener('abort', stop, { once: true })
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < STDERR_LIMIT) stderr += chunk.toString()
    })
    // A hook need not read its state: EPIPE is its choice, not a failure.
    child.stdin.on('error', () => undefined)
    child.stdin.end(JSON.stringify(state))
    child.on('error', (error) => {
      clearTimeout(timer)
      abort?.removeEventListener('abort', stop)
      fail(error.message, error)
    })
    // `exit`, not `close`: a daemon that the hook left behind may hold its stderr for ever.
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      abort?.removeEventListener('abort', stop)
      child.stderr.destroy()
      if (abort?.aborted === true) reject(abort.reason)
      else if (timedOut) fail(`it ran longer than its timeout of ${hook.timeout} s`)
      else if (signal !== null) fail(`it was killed by ${signal}`)
      else if (code !== 0)
        fail(`exit status ${code}${stderr === '' ? '' : `, stderr: ${stderr.trim()}`}`)
      else resolve()
    })
  })
}

// Only what the hook names: the caller's environment is not the hook's (config.md, `env`).
function environmentOf(entries: readonly string[]): Record<string, string> {
  const environment: Record<string, string> = Object.create(null)
  for (const entry of entries) {
    const equals = entry.indexOf('=')
    if (equals > 0) environment[entry.slice(0, equals)] = entry.slice(equals + 1)
  }
  return environment
}
