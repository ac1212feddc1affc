/** process.terminal: a pty of the container's own devpts, its master sent over the console socket. */
import { O_CLOEXEC, O_NOCTTY, O_RDWR, RESOLVE_NO_SYMLINKS } from '../../linux/open-flags.ts'
import type { Operand, Slot } from '../instruction.ts'
import type { ProcessContext } from './create-context.ts'
import { descriptorMessage, openBelow } from './kernel-structs.ts'
import { emitCheckDevice, IN_ROOT } from './path-in-root.ts'
import { emitAttach, emitCloneTree } from './rootfs.ts'

// asm-generic/ioctls.h
const TIOCSPTLCK = 0x40045431
const TIOCGPTPEER = 0x5441
const TIOCSWINSZ = 0x5414
const TIOCSCTTY = 0x540e
const UNIX98_SLAVE_MAJOR = 136

/**
 * Makes the pty below `root` and sends its master; returns the slave. The slave comes from the
 * master (TIOCGPTPEER), never from a path in /dev/pts (CVE-2025-52565).
 */
export function emitTerminal(c: ProcessContext, root: Operand): Slot | undefined {
  if (c.process.terminal !== true || c.console === undefined) return undefined
  const { b, console: socket } = c
  return b.at('/process/terminal', () => {
    const resolve = IN_ROOT | RESOLVE_NO_SYMLINKS
    const master = openBelow(b, root, 'dev/pts/ptmx', {
      flags: O_RDWR | O_NOCTTY | O_CLOEXEC,
      resolve,
    })
    emitCheckDevice(b, master, 5, 2)
    b.run('ioctl', [master, TIOCSPTLCK, b.zeros(4)])
    const slave = b.sys('ioctl', [master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC])
    emitCheckDevice(b, slave, UNIX98_SLAVE_MAJOR)
    emitWindowSize(c, slave)
    b.run('sendmsg', [socket, descriptorMessage(b, '/dev/ptmx', master), 0x4000], {
      note: 'console socket',
    })
    b.run('close', [master])
    return slave
  })
}

function emitWindowSize(c: ProcessContext, slave: Slot): void {
  const size = c.process.consoleSize
  if (size === undefined || (size.height === 0 && size.width === 0)) return
  const winsize = Buffer.alloc(8) // struct winsize: rows, columns, pixels
  winsize.writeUInt16LE(size.height & 0xffff, 0)
  winsize.writeUInt16LE(size.width & 0xffff, 2)
  c.b.at('/process/consoleSize', () => c.b.run('ioctl', [slave, TIOCSWINSZ, c.b.bytes(winsize)]))
}

/** Shows the slave as /dev/console, by descriptor. */
export function emitConsoleMount(c: ProcessContext, slave: Slot, target: Slot): void {
  c.b.at('/process/terminal', () => emitAttach(c.b, emitCloneTree(c.b, slave, false), target))
}

/** Makes the slave the controlling terminal and the standard streams. */
export function emitControllingTerminal(c: ProcessContext, slave: Slot): void {
  const { b } = c
  b.at('/process/terminal', () => {
    b.run('ioctl', [slave, TIOCSCTTY, 0])
    for (const stream of [0, 1, 2]) b.run('dup3', [slave, stream, 0])
    b.run('close', [slave])
  })
}
