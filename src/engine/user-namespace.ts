/** The engine for a user without root: a process of it in a user namespace, and what must be done outside of that. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { TsrunError } from '../errors.ts'
import { isExecutable, programPaths } from '../runtime/find-program.ts'
import { readProcStat } from '../runtime/process-liveness.ts'
import { runInUserNamespace } from '../runtime/rootless/run-in-user-namespace.ts'
import { type EngineOptions, openEngine } from './engine.ts'
import { sendSignal, signalNumber } from './signal-container.ts'
import { type StopOptions, stopContainer } from './stop-container.ts'

/**
 * Runs `command`, tsrun itself, as root of a new user namespace; resolves to its exit code. The process gets the signals
 * `forwarded` that we get.
 */
export async function runInOwnNamespace(
  command: readonly string[],
  forwarded: readonly NodeJS.Signals[],
): Promise<number> {
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`)
  const [path = ''] = command
  const waiting: NodeJS.Signals[] = []
  let send = (name: NodeJS.Signals): void => void waiting.push(name)
  for (const name of forwarded) process.on(name, () => send(name))
  const { pid, exited } = await runInUserNamespace({ path, args: command, env })
  const startTime = readProcStat(pid)?.startTime ?? 0
  send = (name) => {
    if (!isKeyOfBoth(name)) sendSignal(pid, startTime, signalNumber(name))
  }
  for (const name of waiting) send(name)
  const { exitCode } = await exited
  return exitCode
}

/** As {@link runInOwnNamespace} for any program, looked for on the PATH. Throws `failed-precondition` for root. */
export async function programInOwnNamespace(
  words: readonly string[],
  forwarded: readonly NodeJS.Signals[],
): Promise<number> {
  if (process.geteuid?.() === 0) {
    throw new TsrunError('failed-precondition', 'cannot run the command "unshare" as root', {
      hint: 'root needs no user namespace for its containers: run the program itself',
    })
  }
  const [name = '', ...args] = words
  const paths = name.includes('/') ? [resolve(name)] : programPaths(name, process.env)
  const path = paths.find(isExecutable)
  if (path !== undefined) return await runInOwnNamespace([path, ...args], forwarded)
  throw new TsrunError('not-found', `cannot run "${name}": there is no such program`, {
    hint: 'give its path, or the name of one on the PATH',
    exitCode: 127,
  })
}

// Ctrl-C and Ctrl-\ go to all processes in the foreground of the terminal, so to this one and to that.
function isKeyOfBoth(name: NodeJS.Signals): boolean {
  if (name !== 'SIGINT' && name !== 'SIGQUIT') return false
  // proc(5): pgrp is the third field behind the name, tpgid, the terminal's, the sixth.
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return fields[2] === fields[5]
}

/** Ends those of `names` that run; what is wrong with a name, the command itself says. */
export async function killAsUser(
  roots: EngineOptions,
  names: readonly string[],
  options: StopOptions,
): Promise<void> {
  const engine = openEngine(roots)
  for (const name of names) {
    try {
      await stopContainer(engine, engine.containers.find(name), options)
    } catch (error) {
      if (!(error instanceof TsrunError) || error.kind === 'internal') throw error
    }
  }
}
