/** The listening side of --console-socket and --pidfd-socket: what conmon and containerd do with the descriptor. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReadStream } from 'node:tty'
import { newBatch, runBatch } from '../../src/native/run-batch.ts'
import { listenUnix } from '../../src/runtime/unix-socket.ts'

export interface ConsoleSocket extends Disposable {
  readonly path: string
  /** The master that came, as a stream, and the text that came with it. */
  accept(): { readonly master: ReadStream; readonly text: string }
  /** The descriptor that came, which is the caller's to close. */
  acceptDescriptor(): { readonly fd: number; readonly text: string }
}

/** A console socket below a directory of `pathLength` bytes: sun_path ends at 108. */
export function listenForConsole(pathLength = 0): ConsoleSocket {
  const directory = mkdtempSync(join(tmpdir(), `tsrun-console-${'x'.repeat(pathLength)}`))
  const path = join(directory, 'console.sock')
  const listener = listenUnix(path, 'stream')
  const acceptDescriptor = (): { fd: number; text: string } => {
    const batch = newBatch()
    const text = batch.zeros(64)
    const control = batch.zeros(24)
    const vector = batch.words([text, 64])
    const message = batch.words([0, 0, vector, 1, control, 24, 0])
    const connection = batch.sys('accept4', [listener.fd, 0, 0, 0o2000000])
    const length = batch.sys('recvmsg', [connection, message, 0x40000000])
    batch.run('close', [connection])
    const result = runBatch(batch)
    return {
      fd: result.bytes(control).readInt32LE(16),
      text: result.bytes(text).subarray(0, result.value(length)).toString(),
    }
  }
  return {
    path,
    acceptDescriptor,
    accept() {
      const { fd, text } = acceptDescriptor()
      return { master: new ReadStream(fd), text }
    },
    [Symbol.dispose]() {
      listener.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/**
 * Reads until the terminal shows `wanted`. Whoever needs the last words of a process keeps it alive
 * meanwhile: when a session leader ends, the kernel throws away what nobody has read (vhangup(2)).
 */
export function untilTerminalShows(master: ReadStream, wanted: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    master.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes(wanted)) resolve(text)
    })
    const ended = (): void => reject(new Error(`the terminal ended after ${JSON.stringify(text)}`))
    master.on('error', ended)
    master.on('end', ended)
  })
}
