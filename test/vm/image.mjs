/** The root file system of the test machine, made once and kept for as long as its inputs are the same. */
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
import { UNREACHABLE } from './build-image.mjs'
import { CannotRun } from './cannot-run.mjs'
import { cache, hashOf, here } from './paths.mjs'
import { runContained } from './run-contained.mjs'

// The tree, the image and the packages between them.
const FREE_GIBIBYTES = 4
const INPUTS = ['build-image.mjs', 'guest', 'guest-packages.txt', 'guest-masked-units.txt']

// One build at a time: the work directories that are there are of builds that were killed.
const SCRIPT = `test ! -e "$3" || exit 0
rm -rf "$2"/../image.tmp-* && mkdir "$2" && "$0" "$1" "$2" && mv "$2/image" "$3"`

/** Path of the image, built when there is none of these inputs. */
export async function prepareImage({ log, minutes, signal }) {
  const image = join(cache, `image-${hashOf([process.version, process.arch], INPUTS)}`)
  if (existsSync(image)) return image
  mkdirSync(cache, { recursive: true })
  checkRoom()
  installDebianPackages(['machine'], log)
  log('making the image of the test machine from Debian packages, some minutes')
  const work = join(cache, `image.tmp-${process.pid}`)
  const output = join(cache, 'image.log')
  const descriptor = openSync(output, 'w')
  const words = [process.execPath, join(here, 'build-image.mjs'), work, image]
  try {
    const status = await runContained(
      ['flock', join(cache, 'image.lock'), 'sh', '-c', SCRIPT, ...words],
      { stdio: ['ignore', descriptor, descriptor], milliseconds: minutes * 60_000, signal },
    )
    check(status, output, minutes)
  } finally {
    closeSync(descriptor)
    rmSync(work, { recursive: true, force: true })
  }
  removeOthers(image)
  return image
}

function checkRoom() {
  const { bavail, bsize } = statfsSync(cache)
  const gibibytes = (bavail * bsize) / 2 ** 30
  if (gibibytes < FREE_GIBIBYTES)
    throw new CannotRun(`${cache} has ${gibibytes.toFixed(1)} GiB free, not ${FREE_GIBIBYTES}`)
}

function check(status, output, minutes) {
  if (status === 0) return
  const tail = readFileSync(output, 'utf8').trim().split('\n').slice(-5)
  if (status === null)
    throw new CannotRun(`its image took longer than ${minutes} minutes (${output})`)
  if (status === UNREACHABLE) throw new CannotRun(`its packages cannot be had: ${tail.at(-1)}`)
  throw new Error(`cannot make the image of the test machine (${output}):\n${tail.join('\n')}`)
}

function removeOthers(image) {
  for (const name of readdirSync(cache))
    if (/^image-[0-9a-f]+$/.test(name) && join(cache, name) !== image) rmSync(join(cache, name))
}
