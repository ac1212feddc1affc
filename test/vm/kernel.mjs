/** The kernel of the test machine: user-mode Linux, an ordinary program of this machine. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { CannotRun } from './cannot-run.mjs'
import { cache, tree } from './paths.mjs'

const BESIDE = join(dirname(tree), 'shared/vm/linux.uml.xz')

/** Path of the kernel: a ready one of $TSRUN_TEST_KERNEL or beside the working tree. */
export function prepareKernel() {
  if (process.arch !== 'x64')
    throw new CannotRun(`user-mode Linux is for x86_64, not ${process.arch}`)
  const ready = process.env.TSRUN_TEST_KERNEL ?? BESIDE
  if (existsSync(ready)) return unpack(ready)
  if (process.env.TSRUN_TEST_KERNEL !== undefined)
    throw new CannotRun(`TSRUN_TEST_KERNEL names ${ready}, which is not there`)
  throw new CannotRun('there is no kernel for it')
}

function unpack(path) {
  if (!path.endsWith('.xz')) return path
  const content = readFileSync(path)
  const name = `kernel-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`
  const kernel = join(cache, name)
  if (existsSync(kernel)) return kernel
  const { status, stdout, stderr, error } = spawnSync('xz', ['-dc'], {
    input: content,
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`cannot unpack ${path}: ${error?.message ?? stderr}`)
  mkdirSync(cache, { recursive: true })
  const temporary = `${kernel}.${process.pid}`
  writeFileSync(temporary, stdout, { mode: 0o755 })
  renameSync(temporary, kernel)
  for (const other of readdirSync(cache))
    if (/^kernel-[0-9a-f]+$/.test(other) && other !== name) rmSync(join(cache, other))
  return kernel
}
