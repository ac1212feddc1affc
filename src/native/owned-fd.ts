/** A file descriptor that is closed exactly once, by `using` or by hand. */
import { closeSync, openSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'

export class OwnedFd implements Disposable {
  #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  /** The number. Throws RangeError after {@link close} or {@link release}. */
  get fd(): number {
    if (this.#fd < 0) throw new RangeError('the descriptor is closed')
    return this.#fd
  }

  get isOpen(): boolean {
    return this.#fd >= 0
  }

  close(): void {
    if (this.#fd < 0) return
    const fd = this.#fd
    this.#fd = -1
    closeSync(fd)
  }

  /** Gives the number to the caller, who must close it. */
  release(): number {
    const fd = this.fd
    this.#fd = -1
    return fd
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** An open file, undefined when there is none; a file of the kernel's that is going away is none (ENODEV). */
export function openIfThere(path: string, flags: number): OwnedFd | undefined {
  try {
    return new OwnedFd(openSync(path, flags))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT' || code === 'ENODEV') return undefined
    throw error
  }
}
