/** process.user and process.cwd: from here on the process is who the config says. */
import { AT_EMPTY_PATH, S_IFDIR } from '../../linux/open-flags.ts'
import type { Slot } from '../instruction.ts'
import type { CreateContext, ProcessContext } from './create-context.ts'
import { hasNamespace } from './create-context.ts'
import { emitWithKeyLabel } from './lsm-label.ts'
import { componentsOf, openOrMake } from './path-in-root.ts'
import { emitUndumpable } from './process-attributes.ts'

const PR_SET_KEEPCAPS = 8
const PR_SET_NO_NEW_PRIVS = 38
const ENOENT = 2

/** Gives the standard streams to the user, so that /dev/stdout can be opened again (as runc does). */
export function emitStdioOwner(c: ProcessContext): void {
  const uid = c.process.user?.uid ?? 0
  if (uid === 0) return
  const { b } = c
  b.at('/process/user/uid', () => {
    for (const stream of [0, 1, 2]) {
      // /dev/null is everybody's, and a read-only or foreign stream keeps its owner.
      const skip = b.label()
      const buffer = b.zeros(256)
      const known = b.sys('statx', [stream, b.string(''), AT_EMPTY_PATH, 0x7ff, buffer], {
        tolerate: ['*'],
      })
      b.branch(known, 'lt', 0, skip)
      b.branch(b.load(8, buffer, 128), 'eq', 0x3_0000_0001, skip)
      b.run('fchown', [stream, uid, -1], { tolerate: ['EINVAL', 'EPERM', 'EROFS', 'EBADF'] })
      b.place(skip)
    }
  })
}

/** Groups, ids, then the working directory as that user, then umask. */
export function emitUser(c: ProcessContext): void {
  const { b } = c
  const user = c.process.user ?? { uid: 0, gid: 0 }
  b.run('prctl', [PR_SET_KEEPCAPS, 1, 0, 0, 0])
  emitGroups(c, user.additionalGids ?? [])
  for (const [kind, id] of [
    ['gid', user.gid],
    ['uid', user.uid],
  ] as const) {
    b.at(`/process/user/${kind}`, () => b.run(`setres${kind}`, [id, id, id]))
    emitUndumpable(b)
  }
  b.run('prctl', [PR_SET_KEEPCAPS, 0, 0, 0, 0])
  if (user.umask !== undefined)
    b.at('/process/user/umask', () => b.run('umask', [user.umask ?? 0o022]))
  else b.run('umask', [0o022])
}

// A user namespace with setgroups denied (user_namespaces(7)) has no groups to clear.
function emitGroups(c: ProcessContext, groups: readonly number[]): void {
  const { b } = c
  const list = Buffer.alloc(Math.max(groups.length, 1) * 4)
  groups.forEach((gid, i) => {
    list.writeUInt32LE(gid, i * 4)
  })
  const mayBeDenied = c.inUserNamespace || c.options.features.deniesGroups === true
  const tolerate = groups.length === 0 && mayBeDenied ? ['EPERM'] : []
  b.at('/process/user/additionalGids', () =>
    b.run('setgroups', [groups.length, b.bytes(list)], { tolerate }),
  )
}

/** Makes the working directory where it is missing, below `root`, as runc does. */
export function emitMakeWorkingDirectory(c: CreateContext, root: Slot): void {
  const path = `/${componentsOf(c.process.cwd).join('/')}`
  const behindLinks = c.danglingLinks[path]
  c.b.at('/process/cwd', () => openOrMake(c.b, root, behindLinks ?? path, S_IFDIR))
}

/**
 * chdir while still privileged: the directory may be one that the user cannot enter. The slot is 0
 * when that worked; root of a user namespace may be denied what the user is not (root-squash, FUSE).
 */
export function emitEnterWorkingDirectory(c: ProcessContext): Slot {
  const { b, process } = c
  return b.at('/process/cwd', () =>
    b.sys('chdir', [b.string(process.cwd)], { tolerate: ['EACCES', 'EPERM'], note: process.cwd }),
  )
}

/**
 * chdir as the user if need be, then proof that the kernel can name where we are: a directory outside the root, reached
 * through an inherited descriptor, has no absolute path (CVE-2024-21626, getcwd(2)).
 */
export function emitWorkingDirectory(c: ProcessContext, entered: Slot): void {
  const { b, process } = c
  b.at('/process/cwd', () => {
    const inside = b.label()
    const there = b.label()
    b.branch(entered, 'eq', 0, there)
    b.run('chdir', [b.string(process.cwd)], { note: process.cwd })
    b.place(there)
    const buffer = b.zeros(4096)
    b.run('getcwd', [buffer, 4096], { note: process.cwd })
    b.branch(b.load(1, buffer), 'eq', 0x2f, inside)
    b.fail(ENOENT, 'the working directory is outside the container')
    b.place(inside)
  })
}

export function emitNoNewPrivileges(c: ProcessContext): void {
  if (c.process.noNewPrivileges !== true) return
  c.b.at('/process/noNewPrivileges', () => c.b.run('prctl', [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]))
}

/** A session keyring of its own (keyctl(2) KEYCTL_JOIN_SESSION_KEYRING); a kernel without keys has none to leak. */
export function emitKeyring(c: ProcessContext, containerId: string): void {
  if (c.options.noNewKeyring === true) return
  const KEYCTL_JOIN_SESSION_KEYRING = 1
  emitWithKeyLabel(c, () =>
    c.b.at('keyring', () =>
      c.b.run('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, c.b.string(`_ses.${containerId}`), 0, 0, 0], {
        tolerate: ['ENOSYS'],
      }),
    ),
  )
}

/** Whether ids of this process are those of a user namespace made or joined by the config. */
export function isInUserNamespace(config: ProcessContext['config']): boolean {
  return hasNamespace(config, 'user', 'any')
}
