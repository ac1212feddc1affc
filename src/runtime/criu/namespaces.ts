/** Namespaces that a container joined by path: they are not criu's to make (criu.org "External namespaces"). */
import { openSync, statSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { NAMESPACES } from '../../linux/namespaces.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import type { Namespace, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CriuOptions } from './messages.ts'

// criu takes these two from a descriptor, under a name that must be the same at both ends.
const BY_DESCRIPTOR: Readonly<Record<string, string>> = {
  network: 'extRootNetNS',
  pid: 'extRootPidNS',
}
const FIRST_INHERITED = 4

function joined(config: RuntimeConfig): readonly (Namespace & { readonly path: string })[] {
  return (config.linux?.namespaces ?? []).flatMap(({ type, path }) =>
    path === undefined || path === '' ? [] : [{ type, path }],
  )
}

/** For a dump: `net[inode]:name`. */
export function namespacesToName(config: RuntimeConfig): CriuOptions {
  const external = joined(config).flatMap(({ type, path }) => {
    const name = BY_DESCRIPTOR[type]
    return name === undefined ? [] : [`${NAMESPACES[type].procFile}[${statSync(path).ino}]:${name}`]
  })
  return external.length === 0 ? {} : { external }
}

/** For a restore: the options, and the descriptors that criu must have as 4, 5, …. */
export function namespacesToRestore(config: RuntimeConfig): {
  readonly descriptors: readonly OwnedFd[]
  readonly inheritedFds: readonly { readonly key: string; readonly fd: number }[]
  readonly joinedNamespaces: readonly { readonly kind: string; readonly path: string }[]
} {
  const descriptors: OwnedFd[] = []
  const inheritedFds: { key: string; fd: number }[] = []
  const joinedNamespaces: { kind: string; path: string }[] = []
  try {
    for (const { type, path } of joined(config)) {
      const key = BY_DESCRIPTOR[type]
      if (type === 'cgroup')
        throw new TsrunError(
          'not-implemented',
          'unsupported: restore into the cgroup namespace of a path',
        )
      if (key === undefined) joinedNamespaces.push({ kind: NAMESPACES[type].procFile, path })
      else {
        inheritedFds.push({ key, fd: FIRST_INHERITED + descriptors.length })
        descriptors.push(openNamespace(type, path))
      }
    }
  } catch (error) {
    for (const fd of descriptors) fd.close()
    throw error
  }
  return { descriptors, inheritedFds, joinedNamespaces }
}

function openNamespace(type: string, path: string): OwnedFd {
  try {
    return new OwnedFd(openSync(path, 'r'))
  } catch (cause) {
    throw new TsrunError('not-found', `Requested ${type} namespace ${path} does not exist`, {
      cause,
      hint: 'make it before the restore',
    })
  }
}
