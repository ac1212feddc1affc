/** Loads libtsrun.so: the only place that knows koffi. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TsrunError } from '../errors.ts'
import type { Architecture } from '../plan/plan.ts'

/** The C functions of native-bindings/library.c. Each returns a result or -errno, and never throws. */
export interface NativeLibrary {
  /** Runs a plan image in place, in this thread: 0, or (pc + 1) << 16 | errno, or -refusal. */
  run(image: Uint8Array): number
  /** {@link run} in a thread of libuv's pool, for plans that wait. The image must stay alive and untouched. */
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

/** Absolute path of a native part: beside the bundle, or in the build folder of a source tree. */
export function nativePath(name: string): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const candidates = [
    join(here, 'native', hostArchitecture(), name),
    join(here, '..', 'native', hostArchitecture(), name),
    join(here, '..', '..', 'native-bindings', 'build', hostArchitecture(), name),
  ]
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new TsrunError('not-found', `cannot find the native part "${name}" beside ${here}`, {
    hint: 'run npm run build, or reinstall tsrun',
  })
}

let loaded: NativeLibrary | undefined

/** The library, loaded at the first call: commands that need no system call of ours do not pay for it. */
export function nativeLibrary(): NativeLibrary {
  loaded ??= load(nativePath('libtsrun.so'))
  return loaded
}

type ForeignFunction = ((...args: unknown[]) => number) & {
  async: (...args: unknown[]) => void
}

interface Koffi {
  load(path: string): { func(prototype: string): ForeignFunction }
}

/** Functions of a shared library of the system; `sonames` are tried in order, undefined when none loads. */
export function loadSystemLibrary<Name extends string>(
  sonames: readonly string[],
  prototypes: Readonly<Record<Name, string>>,
): Readonly<Record<Name, (...args: unknown[]) => unknown>> | undefined {
  const koffi = loadKoffi()
  for (const soname of sonames) {
    try {
      const library = koffi.load(soname)
      const entries = Object.entries<string>(prototypes).map(([name, p]) => [name, library.func(p)])
      return Object.fromEntries(entries) as Record<Name, ForeignFunction>
    } catch {
      // Not on this machine, or too old to have the functions: the next name, or the caller says so.
    }
  }
  return undefined
}

// koffi, because a plain N-API addon would tie the build to Node's headers and could not be
// swapped for Bun's FFI. Each function below takes memory that the caller keeps alive during
// the call, and reads errno inside C (koffi's asynchronous calls run on other threads).
function load(path: string): NativeLibrary {
  const library = loadKoffi().load(path)
  const run = library.func('int64_t tsrun_run(uint8_t *image, int64_t length)')
  const call = library.func(
    'int64_t tsrun_syscall(int64_t n, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)',
  )
  const spawn = library.func('int64_t tsrun_spawn(uint8_t *request)')
  return {
    run: (image) => Number(run(image, image.length)),
    runAsync: (image) =>
      new Promise((resolve, reject) => {
        run.async(image, image.length, (error: unknown, result: number) => {
          if (error) reject(error)
          else resolve(Number(result))
        })
      }),
    syscall: (number, a, b, c, d, e, f) => Number(call(number, a, b, c, d, e, f)),
    spawn: (request) => Number(spawn(request)),
  }
}

// koffi's N-API module stands beside the bundle, one for each libc; required directly it loads in
// 4 ms, where koffi's own search for it takes 14. A source tree has koffi as a package.
function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url)
  const here = dirname(fileURLToPath(import.meta.url))
  const bundled = ['koffi.node', 'koffi-musl.node'].map((name) =>
    join(here, 'native', hostArchitecture(), name),
  )
  const failures: unknown[] = []
  for (const path of bundled.filter((file) => existsSync(file))) {
    try {
      return require(path) as Koffi
    } catch (error) {
      // The other libc's module; only when none loads is it a failure.
      failures.push(error)
    }
  }
  if (failures.length === 0) return require('koffi') as Koffi
  throw new TsrunError('internal', 'cannot load the native part "koffi.node"', {
    cause: failures[0],
    hint: 'reinstall tsrun',
  })
}
