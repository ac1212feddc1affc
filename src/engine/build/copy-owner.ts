/** Who gets what COPY and ADD make: `--chown`, by the passwd and group files of the root that is built. */
import { TsrunError } from '../../errors.ts'
import { selfPath } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { resolveUser } from '../../spec/user.ts'
import { readInRoot } from '../read-in-root.ts'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Resolves `user[:group]`. A user without a group has that of passwd, a number the same number, as docker has it. */
export function resolveOwner(root: OwnedFd, chown: string): Owner {
  const [user = '', group] = chown.split(':')
  const isNumber = /^\d+$/.test(user) && group === undefined
  const question = isNumber ? `${user}:${user}` : chown
  try {
    const { uid, gid } = resolveUser({
      user: question,
      groups: [],
      passwd: isNumber ? undefined : readInRoot(selfPath(root), '/etc/passwd'),
      group: isNumber ? undefined : readInRoot(selfPath(root), '/etc/group'),
    })
    return { uid, gid }
  } catch (cause) {
    if (!(cause instanceof TsrunError)) throw cause
    // The option that the reason names is another one here.
    const reason = cause.message.replace(/^cannot use user "(?:[^"\\]|\\.)*": /, '')
    throw new TsrunError(cause.kind, `cannot use --chown ${JSON.stringify(chown)}: ${reason}`)
  }
}
