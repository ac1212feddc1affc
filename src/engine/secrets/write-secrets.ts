/** The copies of secrets that a container is given; they go with it. */
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { nameFile } from '../../util/name-file.ts'
import { parseSecretOption, secretFile, type WantedSecret } from './secret-option.ts'
import { SecretStore } from './secret-store.ts'

export interface SecretCopy extends WantedSecret {
  readonly content: Uint8Array
}

/** What the texts of --secret ask for. Throws `not-found`, before anything is made. */
export function secretCopies(dataRoot: string, texts: readonly string[]): readonly SecretCopy[] {
  const store = new SecretStore(dataRoot)
  return texts.map((text) => {
    const wanted = parseSecretOption(text)
    return { ...wanted, content: Buffer.from(store.find(wanted.name).data, 'base64') }
  })
}

/** Writes them into the container's folder. */
export function writeSecrets(directory: string, copies: readonly SecretCopy[]): void {
  copies.forEach(({ content, uid, gid, mode }, index) => {
    const path = secretFile(directory, index)
    nameFile(path, () => {
      writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
      chownSync(path, uid, gid)
      chmodSync(path, mode)
    })
  })
}
