/** Things that are made once from the same inputs, with a limit on time and room, and kept. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { join } from 'node:path'
import { installDebianPackages } from '../../.ci/debian.mjs'
import { CannotRun } from './cannot-run.mjs'
import { cache, hashOf, here } from './paths.mjs'
import { UNREACHABLE } from './recipe.mjs'
import { runContained } from './run-contained.mjs'

// One at a time: the work directories that are there are of those that were killed.
const SCRIPT = `test ! -e "$3" || exit 0
rm -rf "\${3%/*}/$4".tmp-* && mkdir "$2" && "$0" "$1" "$2" && mv "$2/result" "$3"`

/**
 * Path of what `make-<name>.mjs` makes, which it does unless there is one of the same `inputs` and `words`.
 * `need` says what that takes: group of Debian packages, gibibytes, minutes.
 */
export async function makeOnce(name, { inputs, words = [], need, log, signal }) {
  const recipe = `make-${name}.mjs`
  const hash = hashOf([process.arch, ...words], [recipe, ...inputs])
  const result = join(cache, `${name}-${hash}`)
  if (existsSync(result)) return result
  mkdirSync(cache, { recursive: true })
  checkRoom(need)
  installDebianPackages([need.packages], log)
  log(`test machine: making its ${name}, ${need.minutes} minutes at most`)
  await runRecipeOnce(name, join(here, recipe), result, { need, signal })
  for (const other of readdirSync(cache).filter(
    (entry) => /^(.*)-[0-9a-f]+$/.exec(entry)?.[1] === name,
  ))
    if (join(cache, other) !== result) rmSync(join(cache, other), { recursive: true })
  return result
}

async function runRecipeOnce(name, recipe, result, { need, signal }) {
  const work = join(cache, `${name}.tmp-${process.pid}`)
  const output = join(cache, `${name}.log`)
  const descriptor = openSync(output, 'w')
  const words = [process.execPath, recipe, work, result, name]
  try {
    const status = await runContained(
      ['flock', join(cache, `${name}.lock`), 'sh', '-c', SCRIPT, ...words],
      { stdio: ['ignore', descriptor, descriptor], milliseconds: need.minutes * 60_000, signal },
    )
    check(status, `its ${name}`, output, need.minutes)
  } finally {
    closeSync(descriptor)
    rmSync(work, { recursive: true, force: true })
  }
}

function checkRoom({ gibibytes }) {
  const { bavail, bsize } = statfsSync(cache)
  const free = (bavail * bsize) / 2 ** 30
  if (free < gibibytes)
    throw new CannotRun(`${cache} has ${free.toFixed(1)} GiB free, not ${gibibytes}`)
}

function check(status, what, output, minutes) {
  if (status === 0) return
  const tail = readFileSync(output, 'utf8').trim().split('\n').slice(-5)
  if (status === null) throw new CannotRun(`${what} took more than ${minutes} minutes (${output})`)
  if (status === UNREACHABLE) throw new CannotRun(`${what} cannot be had: ${tail.at(-1)}`)
  throw new Error(`cannot make ${what} (${output}):\n${tail.join('\n')}`)
}
