/** The listening side of --console-socket: what conmon and containerd do with the pty's master. */
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
}

/** A console socket below a directory of `pathLength` bytes: sun_path ends at 108. */
export function listenForConsole(pathLength = 0): ConsoleSocket {
  const directory = mkdtempSync(join(tmpdir(), `tsrun-console-${'x'.repeat(pathLength)}`))
  const path = join(directory, 'console.sock')
  const listener = listenUnix(path, 'stream')
  return {
    path,
    accept() {
      const batch = newBatch()
      const text = batch.zeros(64)
      const control = batch.zeros(24)
      const vector = batch.words([text, 64])
      const message = batch.words([0, 0, vector, 1, control, 24, 0])
      const connection = batch.sys('accept4', [listener.fd, 0, 0, 0o2000000])
      const length = batch.sys('recvmsg', [connection, message, 0x40000000])
      batch.run('close', [connection])
      const result = runBatch(batch)
      const master = new ReadStream(result.bytes(control).readInt32LE(16))
      return { master, text: result.bytes(text).subarray(0, result.value(length)).toString() }
    },
    [Symbol.dispose]() {
      listener.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Everything that is printed on the terminal until the last process on it has ended. */
export function readTerminal(master: ReadStream): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    master.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    // EIO: nobody has the slave open any more (pty(7)).
    master.on('error', () => resolve(text))
    master.on('end', () => resolve(text))
  })
}
