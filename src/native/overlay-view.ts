/** A read-only look at stacked folders that is mounted nowhere: it ends with its descriptor. */
import { constants, openSync } from 'node:fs'
import { SyscallError, TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
} from '../linux/mount-flags.ts'
import { isHostRoot } from '../util/host-user.ts'
import { OwnedFd } from './owned-fd.ts'
import { newBatch, runBatch } from './run-batch.ts'

/** fsconfig(2): a string value is at most 256 bytes with its NUL. */
const MAX_VALUE = 255

/**
 * The root of the overlay of `folders`, top first, at least two. An upper folder in use may be among them: the
 * container goes on writing, and each name is then seen as it is at that moment.
 */
export function openOverlayView(folders: readonly string[]): OwnedFd {
  const opened = folders.map(
    (path) => new OwnedFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)),
  )
  try {
    const short = opened.map(({ fd }) => `/proc/self/fd/${fd}`)
    const view = mountLayers(short.map((path) => ['lowerdir+', path]))
    if (!(view instanceof SyscallError)) return view
    // `lowerdir+` is of Linux 6.5.
    if (view.code !== 'EINVAL') throw view
    const joined = short.join(':')
    if (joined.length > MAX_VALUE)
      throw new TsrunError('not-implemented', 'it has more layers than this kernel can look at', {
        hint: 'use Linux 6.5 or newer',
      })
    const second = mountLayers([['lowerdir', joined]])
    if (second instanceof SyscallError) throw second
    return second
  } finally {
    for (const folder of opened) folder.close()
  }
}

function mountLayers(options: readonly (readonly [string, string])[]): OwnedFd | SyscallError {
  const b = newBatch()
  const error = b.slot('error')
  const tree = b.slot('tree')
  const end = b.label()
  const check = (result: ReturnType<typeof b.sys>) => {
    b.set(error, result)
    b.branch(result, 'lt', 0, end)
  }
  const context = b.sys('fsopen', [b.string('overlay'), FSOPEN_CLOEXEC])
  // The upper folder is another mount's: with an index the kernel would refuse to look at it.
  for (const [key, value] of [['source', 'overlay'], ['index', 'off'], ...options]) {
    const args = [context, FSCONFIG_SET_STRING, b.string(key ?? ''), b.string(value ?? ''), 0]
    check(b.sys('fsconfig', args, { tolerate: ['*'] }))
  }
  // Without root the layers have what hides others below in attributes of their owner's (snapshots/).
  if (!isHostRoot())
    check(
      b.sys('fsconfig', [context, FSCONFIG_SET_FLAG, b.string('userxattr'), 0, 0], {
        tolerate: ['*'],
      }),
    )
  check(b.sys('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0], { tolerate: ['*'] }))
  check(b.sys('fsmount', [context, FSMOUNT_CLOEXEC, 0], { into: tree, tolerate: ['*'] }))
  b.place(end)
  b.run('close', [context])
  const result = runBatch(b)
  const code = result.value(error)
  if (code < 0) return new SyscallError('fsconfig', -code, errnoName(-code))
  return new OwnedFd(result.value(tree))
}
