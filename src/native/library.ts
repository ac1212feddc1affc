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

// koffi, because a plain N-API addon would tie the build to Node's headers and could not be
// swapped for Bun's FFI. Each function below takes memory that the caller keeps alive during
// the call, and reads errno inside C (koffi's asynchronous calls run on other threads).
function load(path: string): NativeLibrary {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const library = koffi.load(path)
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
