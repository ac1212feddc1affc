/** Standard streams that are the host's /dev/null become the container's own. */
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_RDWR,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/open-flags.ts'
import type { Operand } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'
import { openBelow } from './kernel-structs.ts'

const STATX_BASIC_STATS = 0x7ff
/** stx_rdev_major and stx_rdev_minor together. */
const DEVICE_NUMBER = 128
const NULL_DEVICE = 0x3_0000_0001

/**
 * Reopens them below `dev`, as runc does: a file of a mount that the container has not got could not be
 * checkpointed (criu), and /proc/self/fd would lead out of the container. Where /dev/null is anything
 * else, all stays as it is.
 */
export function emitNullStreams(c: ProcessContext, dev: Operand): void {
  const { b } = c
  if (c.process.terminal === true) return
  const done = b.label()
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
  const own = openBelow(b, dev, 'null', { flags: O_RDWR | O_CLOEXEC, resolve }, { tolerate: ['*'] })
  b.branch(own, 'lt', 0, done)
  const close = b.label()
  emitSkipUnlessNull(b, own, close)
  for (const stream of [0, 1, 2]) {
    const next = b.label()
    emitSkipUnlessNull(b, stream, next)
    b.run('dup3', [own, stream, 0])
    b.place(next)
  }
  b.place(close)
  b.run('close', [own])
  b.place(done)
}

function emitSkipUnlessNull(
  b: PlanBuilder,
  fd: Operand,
  skip: ReturnType<PlanBuilder['label']>,
): void {
  const buffer = b.zeros(256)
  const known = b.sys('statx', [fd, b.string(''), AT_EMPTY_PATH, STATX_BASIC_STATS, buffer], {
    tolerate: ['EBADF'],
  })
  b.branch(known, 'lt', 0, skip)
  b.branch(b.load(8, buffer, DEVICE_NUMBER), 'ne', NULL_DEVICE, skip)
}
