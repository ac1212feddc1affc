/** `npm run hello`: from a fresh clone to a word out of a container. */
import { spawnSync } from 'node:child_process'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setup } from './setup.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tsrun = join(root, 'dist/tsrun')

/** Runs `dist/tsrun args`, shows the command line, and stops at the first one that fails. */
function show(...args) {
  console.log(`$ dist/tsrun ${args.join(' ')}`)
  const { status, error } = spawnSync(tsrun, args, { stdio: 'inherit', cwd: root })
  if (error) throw new Error(`cannot run ${tsrun}: ${error.message}`)
  if (status !== 0) throw new Error(`tsrun ${args[0]} ended with status ${status}`)
}

try {
  if (process.geteuid() !== 0)
    throw new Error('must run as root: containers here have a root of their own')
  await setup('build')
  const { buildBusyboxImage } = await import('../rootfs-cache/build-busybox-image.mjs')
  const image = await buildBusyboxImage()
  show('load', '-i', relative(root, image))
  show('run', '--rm', 'busybox', 'echo', 'Hello from a container made by TypeScript')
} catch (error) {
  console.error(`hello: ${error.message}`)
  process.exitCode = 1
}
