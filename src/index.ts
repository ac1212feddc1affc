/**
 * tsrun as a library: containers in this process, without daemon, socket or command line.
 *
 *   const { stdout } = await run({ image: 'busybox', args: ['echo', 'hello'] })
 *
 *   await using container = await start({ image: 'busybox', args: ['sh'], stdin: 'pipe' })
 *   container.stdin?.end('echo hello\n')
 *   for await (const chunk of container.stdout) process.stdout.write(chunk)
 */
import { openEngine } from './engine/engine.ts'
import { Container, type RunResult } from './engine/library-container.ts'
import { type ContainerOptions, engineOptionsOf, requestOf } from './engine/library-options.ts'
import { startOwned } from './engine/owned-container.ts'
import { TsrunError } from './errors.ts'

export type {
  BuildOptions,
  BuildProgress,
  BuiltImage,
  SecretSource,
} from './engine/library-build.ts'
export { buildImage } from './engine/library-build.ts'
export type {
  Container,
  ExecOptions,
  ExecResult,
  ExitResult,
  ProcessExit,
  ReachedLimit,
  RunResult,
} from './engine/library-container.ts'
export type {
  ImageInspectOptions,
  ImageLoadOptions,
  ImageRemoveOptions,
  ImageSaveOptions,
  ImageStoreOptions,
  ImportProgress,
  RemovedImage,
} from './engine/library-image-store.ts'
export {
  inspectImage,
  listImages,
  loadImages,
  removeImage,
  saveImages,
  tagImage,
} from './engine/library-image-store.ts'
export type {
  ImagePullOptions,
  ImagePushOptions,
  PulledImage,
  PullProgress,
  PushProgress,
} from './engine/library-images.ts'
export { pullImage, pushImage } from './engine/library-images.ts'
export type { NetworkInfo, NetworkOptions } from './engine/library-networks.ts'
export { createNetwork, listNetworks, removeNetwork } from './engine/library-networks.ts'
export type { ContainerOptions, MountOption } from './engine/library-options.ts'
export type { ErrorKind, TsrunErrorOptions } from './errors.ts'
export { TsrunError } from './errors.ts'

/** Runs a container to its end and resolves to what it wrote. A failing command is a result, not an error. */
export async function run(options: ContainerOptions): Promise<RunResult> {
  await using container = await start(options)
  return await container.result()
}

/** Starts a container. Dispose it, or await {@link Container.exited}: then nothing of it is left. */
export async function start(options: ContainerOptions): Promise<Container> {
  options.signal?.throwIfAborted()
  requireRights()
  const engine = openEngine(engineOptionsOf(options))
  await engine.sweep()
  const owned = await startOwned(engine, requestOf(options), { signal: options.signal })
  return new Container(engine, owned, options)
}

// A program of many threads cannot enter a user namespace (setns(2)): it must begin in one.
function requireRights(): void {
  if (process.geteuid?.() === 0) return
  throw new TsrunError('permission-denied', 'cannot run a container in this program without root', {
    hint: 'start the program with tsrun unshare, as in: tsrun unshare node program.js',
  })
}
