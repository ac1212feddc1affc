/** The kernel of the test machine: user-mode Linux, an ordinary program of this machine. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CannotRun } from './cannot-run.mjs'
import { makeOnce } from './make-once.mjs'
import { cache, tree } from './paths.mjs'

const BESIDE = join(dirname(tree), 'shared/vm/linux.uml.xz')
const NEED = { packages: 'machine-kernel', gibibytes: 6, minutes: 90 }

/** Its path: a ready one that $TSRUN_TEST_KERNEL names or that lies beside the working tree, or one made here. */
export async function prepareKernel({ log, signal }) {
  if (process.arch !== 'x64')
    throw new CannotRun(`user-mode Linux is for x86_64, not ${process.arch}`)
  const named = process.env.TSRUN_TEST_KERNEL
  if (named !== undefined && !existsSync(named))
    throw new CannotRun(`TSRUN_TEST_KERNEL names ${named}, which is not there`)
  if (named !== undefined || existsSync(BESIDE)) return { kernel: unpack(named ?? BESIDE) }
  // Half an hour of two processors.
  if (process.env.TSRUN_CI === '1')
    throw new CannotRun(
      'no kernel is ready: set TSRUN_TEST_KERNEL, or let npm run test:vm make one',
    )
  return {
    kernel: await makeOnce('kernel', { inputs: ['kernel.config'], need: NEED, log, signal }),
  }
}

function unpack(path) {
  if (!path.endsWith('.xz')) return path
  const { size, mtimeMs } = statSync(path)
  const kernel = join(
    cache,
    `ready-kernel-${size.toString(16)}-${Math.floor(mtimeMs).toString(16)}`,
  )
  if (existsSync(kernel)) return kernel
  const { status, stdout, stderr, error } = spawnSync('xz', ['-dc'], {
    input: readFileSync(path),
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`cannot unpack ${path}: ${error?.message ?? stderr}`)
  mkdirSync(cache, { recursive: true })
  const temporary = `${kernel}.${process.pid}`
  writeFileSync(temporary, stdout, { mode: 0o755 })
  renameSync(temporary, kernel)
  return kernel
}
