/**
 * Native parts in the standalone executable, by Bun's FFI: .ci/standalone.mjs puts this file in the
 * place of koffi-backend.ts, and the parts themselves into {@link EMBEDDED_PARTS}.
 */
import { closeSync, read, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { SyscallError, TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { O_CLOEXEC } from '../linux/open-flags.ts'
import { syscallNumber } from '../linux/syscall-numbers.ts'
import type { Architecture } from '../plan/plan.ts'
import type { NativeLibrary } from './library.ts'

/** Base64 by file name. */
declare const EMBEDDED_PARTS: Readonly<Record<string, string>>

const MFD_CLOEXEC = 1
const RECORD_SIZE = 8

/** Addresses are exact as numbers: user space ends below 2^48. */
type Foreign = ((...args: readonly number[]) => number) & { readonly ptr: number }

interface BunFfi {
  dlopen<Name extends string>(
    path: string,
    symbols: Readonly<Record<Name, { readonly args: readonly string[]; readonly returns: string }>>,
  ): { readonly symbols: Readonly<Record<Name, Foreign>> }
  ptr(bytes: ArrayBufferView): number
}

const ffi = createRequire(import.meta.url)('bun:ffi') as BunFfi

/** Opens libtsrun.so from memory: it is in no file, so in no folder that others could write to. */
export function openLibrary(architecture: Architecture): NativeLibrary {
  const image = memfdWith(readPart(architecture, 'libtsrun.so'))
  try {
    const { symbols } = ffi.dlopen(`/proc/self/fd/${image}`, {
      tsrun_run: { args: ['ptr', 'i64'], returns: 'i64_fast' },
      tsrun_syscall: { args: Array(7).fill('i64'), returns: 'i64_fast' },
      tsrun_spawn: { args: ['ptr'], returns: 'i64_fast' },
      tsrun_run_job: { args: ['ptr'], returns: 'ptr' },
    })
    const { tsrun_run: run, tsrun_syscall: call, tsrun_spawn: spawn, tsrun_run_job: job } = symbols
    let jobs: Jobs | undefined
    return {
      run: (bytes) => run(ffi.ptr(bytes), bytes.length),
      runAsync: (bytes) => {
        jobs ??= new Jobs(job.ptr, architecture, call)
        return jobs.start(bytes)
      },
      syscall: (number, a, b, c, d, e, f) => call(number, a, b, c, d, e, f),
      spawn: (request) => spawn(ffi.ptr(request)),
    }
  } catch (cause) {
    throw new TsrunError('internal', 'cannot load the native part "libtsrun.so" from memory', {
      cause,
      hint: 'tsrun needs /proc, and memfds that may be executed (sysctl vm.memfd_noexec below 2)',
    })
  } finally {
    closeSync(image)
  }
}

/** The bytes of a native part. */
export function readPart(_architecture: Architecture, name: string): Uint8Array {
  const text = EMBEDDED_PARTS[name]
  if (text !== undefined) return Buffer.from(text, 'base64')
  throw new TsrunError('not-found', `cannot find the native part "${name}" in ${process.execPath}`)
}

/** None: Bun's node:zlib has zstd, for which Node 20 needs a library of the system. */
export function openSystemLibrary(): undefined {
  return undefined
}

function memfdWith(bytes: Uint8Array): number {
  const { symbols } = ffi.dlopen('libc.so.6', {
    memfd_create: { args: ['ptr', 'u32'], returns: 'i32' },
  })
  const name = Buffer.from('libtsrun.so\0')
  const fd = symbols.memfd_create(ffi.ptr(name), MFD_CLOEXEC)
  if (fd < 0)
    throw new TsrunError(
      'internal',
      'cannot load the native part "libtsrun.so": memfd_create failed',
    )
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
  return fd
}

interface Job {
  readonly thread: number
  /** `struct job` of native-bindings/library.c, and the plan it points to: both must stay alive. */
  readonly request: BigInt64Array
  readonly image: Uint8Array
  readonly resolve: (result: number) => void
  readonly reject: (error: unknown) => void
}

/**
 * Plans in threads of their own (pthread_create(3), as Bun's FFI has no asynchronous calls). A thread
 * writes its job's number into a pipe when it is done; that pipe is read while a job runs, and no longer.
 */
class Jobs {
  readonly #main: number
  readonly #pthread = openPthread()
  readonly #jobs = new Map<bigint, Job>()
  readonly #reader: number
  readonly #writer: number
  #lastId = 0n

  constructor(main: number, architecture: Architecture, call: Foreign) {
    this.#main = main
    const ends = new Int32Array(2)
    const number = syscallNumber(architecture, 'pipe2') ?? -1
    const result = call(number, ffi.ptr(ends), O_CLOEXEC, 0, 0, 0, 0)
    if (result < 0) throw new SyscallError('pipe2', -result, errnoName(-result))
    this.#reader = ends[0] ?? -1
    this.#writer = ends[1] ?? -1
  }

  start(image: Uint8Array): Promise<number> {
    const id = ++this.#lastId
    const address = BigInt(ffi.ptr(image))
    const request = BigInt64Array.of(address, BigInt(image.length), 0n, BigInt(this.#writer), id)
    const thread = new BigInt64Array(1)
    const { pthread_create: create } = this.#pthread
    const errno = create(ffi.ptr(thread), 0, this.#main, ffi.ptr(request))
    if (errno !== 0)
      return Promise.reject(new SyscallError('pthread_create', errno, errnoName(errno)))
    return new Promise((resolve, reject) => {
      this.#jobs.set(id, { thread: Number(thread[0]), request, image, resolve, reject })
      if (this.#jobs.size === 1) this.#listen()
    })
  }

  #listen(): void {
    const record = new BigInt64Array(1)
    read(this.#reader, record, 0, RECORD_SIZE, null, (error, length) => {
      if (error !== null || length !== RECORD_SIZE) this.#fail(error)
      else this.#finish(record[0] ?? 0n)
      if (this.#jobs.size > 0) this.#listen()
    })
  }

  #finish(id: bigint): void {
    const job = this.#jobs.get(id)
    this.#jobs.delete(id)
    if (job === undefined) return
    this.#pthread.pthread_join(job.thread, 0)
    job.resolve(Number(job.request[2]))
  }

  #fail(cause: unknown): void {
    const jobs = [...this.#jobs.values()]
    this.#jobs.clear()
    const error = new TsrunError('internal', 'cannot hear from a thread of tsrun', { cause })
    for (const job of jobs) job.reject(error)
  }
}

// Before glibc 2.34 these are in libpthread, since then libpthread leads to libc.
function openPthread() {
  return ffi.dlopen('libpthread.so.0', {
    pthread_create: { args: ['ptr', 'ptr', 'ptr', 'ptr'], returns: 'i32' },
    pthread_join: { args: ['i64', 'ptr'], returns: 'i32' },
  }).symbols
}
