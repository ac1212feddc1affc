/** Native parts under Node.js, by koffi: the only place that knows it. bun-backend.ts is its twin. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TsrunError } from '../errors.ts'
import type { Architecture } from '../plan/plan.ts'
import type { NativeLibrary } from './library.ts'

type ForeignFunction = ((...args: unknown[]) => number) & {
  async: (...args: unknown[]) => void
}

interface Koffi {
  load(path: string): { func(prototype: string): ForeignFunction }
}

// koffi, because a plain N-API addon would tie the build to Node's headers and could not be
// swapped for Bun's FFI. Each function below takes memory that the caller keeps alive during
// the call, and reads errno inside C (koffi's asynchronous calls run on other threads).
/** Opens libtsrun.so. */
export function openLibrary(architecture: Architecture): NativeLibrary {
  const library = loadKoffi(architecture).load(pathOf(architecture, 'libtsrun.so'))
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

/** The bytes of a native part. */
export function readPart(architecture: Architecture, name: string): Uint8Array {
  return readFileSync(pathOf(architecture, name))
}

/** Functions of a shared library of the system; `sonames` are tried in order, undefined when none loads. */
export function openSystemLibrary<Name extends string>(
  architecture: Architecture,
  sonames: readonly string[],
  prototypes: Readonly<Record<Name, string>>,
): Readonly<Record<Name, (...args: unknown[]) => unknown>> | undefined {
  const koffi = loadKoffi(architecture)
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

// Beside the bundle, beside its chunks, or in the build folder of a source tree.
function pathOf(architecture: Architecture, name: string): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const candidates = [
    join(here, 'native', architecture, name),
    join(here, '..', 'native', architecture, name),
    join(here, '..', '..', 'native-bindings', 'build', architecture, name),
  ]
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new TsrunError('not-found', `cannot find the native part "${name}" beside ${here}`, {
    hint: 'run npm run build, or reinstall tsrun',
  })
}

// koffi's N-API module stands beside the bundle, or beside the library's chunks, one for each libc; required directly it loads in
// 4 ms, where koffi's own search for it takes 14. A source tree has koffi as a package.
function loadKoffi(architecture: Architecture): Koffi {
  const require = createRequire(import.meta.url)
  const here = dirname(fileURLToPath(import.meta.url))
  const bundled = [here, dirname(here)].flatMap((folder) =>
    ['koffi.node', 'koffi-musl.node'].map((name) => join(folder, 'native', architecture, name)),
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
