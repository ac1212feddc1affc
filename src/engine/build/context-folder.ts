/** The build context: a folder, and what of it a build does not see. */
import { dirname, join } from 'node:path'
import { ignoreFileNames } from '../../dockerfile/ignore-file.ts'
import { TsrunError } from '../../errors.ts'
import { openFolder } from '../../native/open-folder.ts'
import { existsAt } from '../../util/if-there.ts'
import type { CopySources } from './copy-request.ts'
import { findContext } from './find-context.ts'
import { hashPath } from './hash-sources.ts'
import { readRegularFile } from './read-regular-file.ts'

/** As src/dockerfile/ignore-file.ts: no more is parsed. */
const MAX_IGNORE_BYTES = 4 * 1024 * 1024

export interface ContextFolder {
  readonly path: string
  readonly ignore: CopySources['ignore']
}

/** The folder with its .dockerignore; one that is named after the Dockerfile and lies beside it goes first. */
export function openContext(path: string, dockerfile: string | undefined): ContextFolder {
  const folder = findContext(path)
  const [own = '', ...shared] = ignoreFileNames(dockerfile ?? '')
  const places = [
    ...(dockerfile === undefined ? [] : [join(dirname(dockerfile), own.split('/').at(-1) ?? '')]),
    ...shared.map((name) => join(folder, name)),
  ]
  for (const place of places) {
    if (!existsAt(place)) continue
    const text = readRegularFile(place, `"${place}"`, MAX_IGNORE_BYTES)
    return { path: folder, ignore: { path: place, text } }
  }
  return { path: folder, ignore: undefined }
}

/** The sources of a copy from the context; the caller closes `folder`. */
export function contextSources(context: ContextFolder) {
  const folder = openFolder(context.path)
  return { folder, folderName: 'the build context', ignore: context.ignore }
}

/** A digest of what a bind mount of `path` in the context shows. */
export async function hashContextPath(context: ContextFolder, path: string): Promise<string> {
  const { folder, folderName } = contextSources(context)
  using _ = folder
  const digest = await hashPath(folder, path)
  if (digest !== undefined) return digest
  throw new TsrunError(
    'not-found',
    `cannot mount ${JSON.stringify(path)} of ${folderName}: there is no such file or folder`,
  )
}

/** The context of a step that takes files from it. */
export function requireContext(context: ContextFolder | undefined): ContextFolder {
  if (context !== undefined) return context
  throw new TsrunError(
    'invalid-argument',
    'cannot take files from the build context: there is none',
    {
      hint: 'name a folder: tsrun build .',
    },
  )
}
