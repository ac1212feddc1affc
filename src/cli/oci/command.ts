/** What a verb of the OCI command line is made of. */
import { writeSync } from 'node:fs'
import { errnoCodeOf } from '../../errors.ts'
import type { ArgumentCount, FlagTable, ParsedArguments } from './arguments.ts'

/** What this command is called in its own texts: callers that expect runc look for its name. */
export type ProgramName = 'tsrun' | 'runc'

/** The global flags, decoded. */
export interface OciGlobals {
  readonly root: string
  /** The root was given with --root. */
  readonly rootGiven: boolean
  /** The root is below $XDG_RUNTIME_DIR. */
  readonly stickyRoot: boolean
  /** Logs a step with --debug, else does nothing. */
  readonly debug: (step: string) => void
  /** Who makes the cgroups of containers. */
  readonly cgroups: 'cgroupfs' | 'systemd' | 'disabled'
  /** Who may not make cgroups goes without, where none is asked for (--rootless). */
  readonly rootlessCgroups: boolean
  /** --criu: the program that checkpoints. */
  readonly criu?: string
  /** Logs what went wrong without making the command fail. */
  readonly warn: (problem: unknown) => void
}

export interface OciCommand {
  readonly usage: string
  readonly description: string
  readonly table: FlagTable
  readonly positional: ArgumentCount
  /** What follows the container id belongs to another program: flags are not looked for there. */
  readonly flagsFirst?: true
  /** Runs the command; the result is the exit status. */
  run(args: ParsedArguments, globals: OciGlobals): Promise<number>
}

/** Exactly one container id. */
export const ONE_ID: ArgumentCount = { least: 1, most: 1 }
export const NO_ARGUMENTS: ArgumentCount = { least: 0, most: 0 }

/** Text for standard output; nothing else may be printed there. */
export function print(text: string): void {
  writeText(1, text)
}

/** A line for people on standard error. */
export function printError(text: string): void {
  writeText(2, text)
}

// Never through process.stdout: opening it makes the description non-blocking, and `create` and
// `run` share that description with the container.
function writeText(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written)
    } catch (error) {
      const code = errnoCodeOf(error)
      // The reader went away (`tsrun list | head`), or there never was one: no failure of ours.
      if (code === 'EPIPE' || code === 'EBADF') return
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

/** The help of one command. */
export function helpText(program: ProgramName, name: string, command: OciCommand): string {
  const flags = Object.entries(command.table.flags).map(
    ([flag, kind]) => `   --${flag}${kind === 'boolean' ? '' : ' value'}\n`,
  )
  return `NAME:\n   ${program} ${name} - ${command.description}\n\nUSAGE:\n   ${program} ${name} ${command.usage}\n\nOPTIONS:\n${flags.join('')}   --help\n`
}
