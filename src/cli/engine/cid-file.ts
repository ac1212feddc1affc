/** --cidfile: the id of the container for scripts. */
import { rmSync, writeFileSync } from 'node:fs'
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import { nameFile } from '../../util/name-file.ts'

/** The file, made empty before there is a container: one that is there belongs to another one. */
export class CidFile implements Disposable {
  readonly #path: string | undefined
  #isWritten = false

  constructor(path: string | undefined) {
    this.#path = path
    if (path === undefined) return
    try {
      nameFile(path, () => writeFileSync(path, '', { flag: 'wx' }))
    } catch (cause) {
      if (errnoCodeOf(cause) !== 'EEXIST') throw cause
      throw new TsrunError(
        'already-exists',
        `cannot write the id of the container to "${path}": the file exists`,
        { hint: 'it may be that of another container; remove it, or choose another --cidfile' },
      )
    }
  }

  write(id: string): void {
    const path = this.#path
    if (path === undefined) return
    nameFile(path, () => writeFileSync(path, id))
    this.#isWritten = true
  }

  /** Removes the file when there is no container. */
  [Symbol.dispose](): void {
    if (this.#path !== undefined && !this.#isWritten) rmSync(this.#path, { force: true })
  }
}
