/** WORKDIR: the folder, made where it is not there yet, for the stage's user as BuildKit does. */
import { chmodSync, chownSync, fstatSync, mkdirSync } from 'node:fs'
import { TsrunError } from '../../errors.ts'
import { entryPath, openEntry, openInRoot, selfPath } from '../../native/open-in-root.ts'
import type { OwnedFd } from '../../native/owned-fd.ts'
import { toByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'
import { type Owner, resolveOwner } from './copy-owner.ts'
import { addLayerStep } from './layer-step.ts'
import type { StepContext } from './run-step.ts'
import type { StageResult } from './stage-result.ts'

const ROOT: Owner = { uid: 0, gid: 0 }

/** `stage` has the new working directory already. */
export async function workdirStep(
  { session, name }: StepContext,
  stage: StageResult,
  createdBy: string,
): Promise<StageResult> {
  const { WorkingDir: path = '/', User: user = '' } = stage.config.process
  return await addLayerStep(session, stage, {
    name,
    createdBy,
    keys: [async () => ({ kind: 'WORKDIR', path, user })],
    readsContext: false,
    work: async (tree) => {
      using root = tree.openRoot()
      using found = openInRoot(root, toByteText(path), { follow: true })
      if (found === undefined)
        return makeFolders(root, toByteText(path), user === '' ? ROOT : resolveOwner(root, user))
      if (fstatSync(found.fd).isDirectory()) return 'unchanged'
      throw new TsrunError('failed-precondition', `cannot use the folder "${path}": it is a file`)
    },
  })
}

function makeFolders(root: OwnedFd, path: string, owner: Owner): 'changed' {
  const parts = path.split('/').filter((part) => part !== '')
  for (let length = 1; length <= parts.length; length++) {
    const inner = parts.slice(0, length).join('/')
    using found = openInRoot(root, inner, { follow: true })
    if (found !== undefined) continue
    const [above, name] = splitPath(inner)
    using folder = openInRoot(root, above, { follow: true })
    if (folder === undefined || !fstatSync(folder.fd).isDirectory())
      throw new TsrunError(
        'failed-precondition',
        `cannot make the folder "${path}": "${above}" is no folder`,
      )
    makeFolder(folder, name, owner)
  }
  return 'changed'
}

function makeFolder(folder: OwnedFd, name: string, { uid, gid }: Owner): void {
  mkdirSync(entryPath(folder, name), { mode: 0o755 })
  using made = openEntry(folder, name)
  if (made === undefined) return
  // Neither umask nor a set-group-id folder above has a say.
  chownSync(selfPath(made), uid, gid)
  chmodSync(selfPath(made), 0o755)
}
