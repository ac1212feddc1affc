/** Our own native parts: libtsrun.so, called in this process, and the executables that it starts. */
import { TsrunError } from '../errors.ts'
import type { Architecture } from '../plan/plan.ts'
import { timed, timedAsync } from '../util/timings.ts'
// The one line that a build with another foreign function interface replaces (.ci/standalone.mjs).
import { openLibrary, openSystemLibrary, readPart } from './koffi-backend.ts'

/** The C functions of native-bindings/library.c. Each returns a result or -errno, and never throws. */
export interface NativeLibrary {
  /** Runs a plan image in place, in this thread: 0, or (pc + 1) << 16 | errno, or -refusal. */
  run(image: Uint8Array): number
  /** {@link run} in another thread, for plans that wait. The image must stay alive and untouched. */
  runAsync(image: Uint8Array): Promise<number>
  /** One system call with number operands. */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number, f: number): number
  /** Starts an executable from a `struct spawn_request`. */
  spawn(request: Uint8Array): number
}

/** The architecture of this process. */
export function hostArchitecture(): Architecture {
  if (process.arch === 'x64') return 'x86_64'
  if (process.arch === 'arm64') return 'aarch64'
  throw new TsrunError(
    'not-implemented',
    `cannot run on the architecture "${process.arch}": tsrun has x86_64 and aarch64`,
  )
}

/** The bytes of a native part, such as `tsrun-init`. Throws `not-found` when tsrun is incomplete. */
export function nativePart(name: string): Uint8Array {
  return readPart(hostArchitecture(), name)
}

let loaded: NativeLibrary | undefined

/** The library, loaded at the first call: commands that need no system call of ours do not pay for it. */
export function nativeLibrary(): NativeLibrary {
  loaded ??= counted(timed('load', () => openLibrary(hostArchitecture())))
  return loaded
}

function counted(library: NativeLibrary): NativeLibrary {
  return {
    run: (image) => timed('native', () => library.run(image)),
    runAsync: (image) => timedAsync('native', () => library.runAsync(image)),
    syscall: (...args) => timed('native', () => library.syscall(...args)),
    spawn: (request) => timed('native', () => library.spawn(request)),
  }
}

/** Functions of a shared library of the system; `sonames` are tried in order, undefined when none loads. */
export function loadSystemLibrary<Name extends string>(
  sonames: readonly string[],
  prototypes: Readonly<Record<Name, string>>,
): Readonly<Record<Name, (...args: unknown[]) => unknown>> | undefined {
  return openSystemLibrary(hostArchitecture(), sonames, prototypes)
}
