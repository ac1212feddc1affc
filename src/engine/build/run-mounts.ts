/** What `RUN --mount` asks for, made ready: mounts for the container, and what of them decides over the cache. */
import { chmodSync, chownSync, fstatSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { BindMount, RunMount, SecretMount } from '../../dockerfile/parse-run-mount.ts'
import { TsrunError } from '../../errors.ts'
import { openFolder } from '../../native/open-folder.ts'
import { openInRoot } from '../../native/open-in-root.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import { toByteText } from '../../util/byte-text.ts'
import { readSecret } from './build-secrets.ts'
import type { BuildSession } from './build-session.ts'
import { openCaches } from './cache-mounts.ts'
import { type ContextFolder, hashContextPath, requireContext } from './context-folder.ts'
import type { TreeSource } from './stage-source.ts'
import type { WorkTree } from './work-tree.ts'

/** A mount with what it is taken from; a bind without `tree` is from the build context. */
export interface ResolvedMount {
  readonly mount: RunMount
  readonly tree: TreeSource | undefined
}

/** What a command gets beside its tree, until disposed. */
export interface ReadyMounts extends Disposable {
  readonly mounts: readonly Mount[]
  /** Secrets as variables. */
  readonly env: readonly string[]
}

/** What of the mount a cached result depends on: of secrets and caches not the content. */
export async function mountKey(
  { mount, tree }: ResolvedMount,
  context: ContextFolder | undefined,
): Promise<unknown> {
  if (mount.type !== 'bind') return mount
  if (tree !== undefined) return { ...mount, from: tree.chainIds.at(-1) ?? '' }
  return { ...mount, content: await hashContextPath(requireContext(context), mount.source) }
}

export async function prepareMounts(
  session: BuildSession,
  tree: WorkTree,
  resolved: readonly ResolvedMount[],
  { workingDirectory, context }: { workingDirectory: string; context: ContextFolder | undefined },
): Promise<ReadyMounts> {
  const mounts: Mount[] = []
  const env: string[] = []
  const wanted = resolved.flatMap(({ mount }) => (mount.type === 'cache' ? mount : []))
  const caches = await openCaches(session.engine, wanted, session.request.signal)
  const destinationOf = (target: string) => posix.resolve('/', workingDirectory, target)
  const bind = (target: string, source: string, readOnly: boolean) => {
    const options = ['rbind', 'rprivate', ...(readOnly ? ['ro', 'rro'] : ['rw'])]
    mounts.push({ destination: destinationOf(target), type: 'bind', source, options })
  }
  try {
    for (const { mount, tree: from } of resolved) {
      if (mount.type === 'tmpfs') mounts.push(tmpfsMount(mount.size, destinationOf(mount.target)))
      else if (mount.type === 'cache')
        bind(mount.target, caches.paths.get(mount.id) ?? '', mount.readOnly)
      else if (mount.type === 'bind')
        bind(mount.target, await bindSource(tree, mount, from, context), mount.readOnly)
      else addSecret(session, tree, mount, { bind, env })
    }
    return { mounts, env, [Symbol.dispose]: () => caches[Symbol.dispose]() }
  } catch (error) {
    caches[Symbol.dispose]()
    throw error
  }
}

function tmpfsMount(size: string | undefined, destination: string): Mount {
  const options = ['nosuid', 'nodev', 'mode=1777', ...(size === undefined ? [] : [`size=${size}`])]
  return { destination, type: 'tmpfs', source: 'tmpfs', options }
}

function addSecret(
  { request }: BuildSession,
  tree: WorkTree,
  mount: SecretMount,
  to: {
    readonly bind: (target: string, source: string, readOnly: boolean) => void
    readonly env: string[]
  },
): void {
  const value = readSecret(mount, request.secrets)
  if (value === undefined) return
  if (mount.env !== undefined) to.env.push(`${mount.env}=${value.toString()}`)
  if (mount.target === undefined) return
  const path = join(tree.addMemory('data'), 'secret')
  writeFileSync(path, value, { mode: 0o600 })
  chownSync(path, mount.uid, mount.gid)
  chmodSync(path, mount.mode)
  to.bind(mount.target, path, true)
}

// Writes to a bind that says rw go to a layer above it that nobody keeps.
async function bindSource(
  tree: WorkTree,
  mount: BindMount,
  from: TreeSource | undefined,
  context: ContextFolder | undefined,
): Promise<string> {
  const below = from?.chainIds ?? requireContext(context).path
  const whole = mount.readOnly && typeof below === 'string' ? below : await tree.addOverlay(below)
  using root = openFolder(whole)
  using place = openInRoot(root, toByteText(mount.source), { follow: true })
  const stats = place === undefined ? undefined : fstatSync(place.fd)
  if (place !== undefined && (stats?.isDirectory() === true || stats?.isFile() === true))
    return tree.addBind(place)
  throw new TsrunError(
    'not-found',
    `cannot mount "${mount.source}" of ${from?.name ?? 'the build context'}: there is no such file or folder`,
  )
}
