/** Three pipes for a process's standard streams: its ends go to it, ours become the caller's. */
import { OwnedFd } from '../native/owned-fd.ts'
import { pipePair } from '../native/pass-descriptors.ts'

export interface OurEnds {
  readonly stdin: OwnedFd | undefined
  readonly stdout: OwnedFd
  readonly stderr: OwnedFd
}

/** Disposing closes the process's ends, and ours unless they were released. */
export class PipeSet implements Disposable {
  readonly theirs: readonly [number, number, number]
  readonly #all: OwnedFd[] = []
  readonly #ours: OurEnds

  constructor(withInput: boolean) {
    const [inputReader, inputWriter] = this.#pair()
    const [outputReader, outputWriter] = this.#pair()
    const [errorReader, errorWriter] = this.#pair()
    this.theirs = [inputReader.fd, outputWriter.fd, errorWriter.fd]
    // Without input the process meets the end of its stdin at once: nobody has the other end.
    if (!withInput) inputWriter.close()
    this.#ours = {
      stdin: withInput ? inputWriter : undefined,
      stdout: outputReader,
      stderr: errorReader,
    }
  }

  /** Gives our ends to the caller, who must close them. */
  release(): OurEnds {
    const { stdin, stdout, stderr } = this.#ours
    const take = (fd: OwnedFd) => new OwnedFd(fd.release())
    return {
      stdin: stdin === undefined ? undefined : take(stdin),
      stdout: take(stdout),
      stderr: take(stderr),
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#all) fd.close()
  }

  #pair(): [OwnedFd, OwnedFd] {
    const pair = pipePair()
    this.#all.push(...pair)
    return pair
  }
}
