/** A console socket of our own, for a foreground command on a terminal: its other end gives the pty's master. */
import type { Duplex } from 'node:stream'
import { TsrunError } from '../errors.ts'
import { openPtyMaster } from '../native/node-pty.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'
import { streamPair } from '../native/syscalls.ts'

const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x40000000
const SCM_RIGHTS = 1
// asm-generic/ioctls.h, asm-generic/termbits.h
const TIOCSWINSZ = 0x5414
const TCGETS = 0x5401
const TCSETS = 0x5402
const TERMIOS_SIZE = 36 // the kernel's struct, not libc's
const C_OFLAG = 4
const ONLCR = 4
/** struct cmsghdr and one descriptor, padded (cmsg(3)). */
const CONTROL_SIZE = 24

export interface ConsolePair extends Disposable {
  /** For {@link CreateOptions.consoleFd}. */
  readonly consoleFd: number
  /** The pty's master, once the process is ready: a stream, which owns the descriptor `fd`. */
  openMaster(): { readonly fd: number; readonly stream: Duplex }
}

export function openConsolePair(): ConsolePair {
  const [ours, theirs] = streamPair()
  return {
    consoleFd: theirs.fd,
    openMaster() {
      const fd = receiveDescriptor(ours.fd).release()
      return { fd, stream: openPtyMaster(fd) }
    },
    [Symbol.dispose]() {
      ours.close()
      theirs.close()
    },
  }
}

/** Tells the processes on the pty behind `master` that their window has changed (SIGWINCH). */
export function resizeTerminal(master: number, rows: number, columns: number): void {
  const winsize = Buffer.alloc(8) // struct winsize: rows, columns, pixels
  winsize.writeUInt16LE(rows & 0xffff, 0)
  winsize.writeUInt16LE(columns & 0xffff, 2)
  const batch = newBatch()
  batch.run('ioctl', [master, TIOCSWINSZ, batch.bytes(winsize)])
  runBatch(batch)
}

/**
 * Lets a newline pass through the pty behind `master` as it is: whoever shows the output adds the
 * carriage return, and a file or a pipe gets none (termios(3) ONLCR).
 */
export function keepNewlines(master: number): void {
  const get = newBatch()
  const settings = get.zeros(TERMIOS_SIZE)
  get.run('ioctl', [master, TCGETS, settings])
  const termios = runBatch(get).bytes(settings)
  termios.writeUInt32LE(termios.readUInt32LE(C_OFLAG) & ~ONLCR, C_OFLAG)
  const set = newBatch()
  set.run('ioctl', [master, TCSETS, set.bytes(termios)])
  runBatch(set)
}

function receiveDescriptor(socket: number): OwnedFd {
  const batch = newBatch()
  const text = batch.zeros(4096)
  const control = batch.zeros(CONTROL_SIZE)
  const vector = batch.words([text, text.length])
  const message = batch.words([0, 0, vector, 1, control, CONTROL_SIZE, 0])
  batch.run('recvmsg', [socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC])
  const bytes = runBatch(batch).bytes(control)
  if (bytes.readUInt32LE(12) === SCM_RIGHTS) return new OwnedFd(bytes.readInt32LE(16))
  throw new TsrunError('internal', 'cannot open the terminal: the container sent no descriptor')
}
