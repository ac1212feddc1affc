/** The tar entries of a layer, with whiteouts as image-spec layer.md writes them. */
import type { TarEntry } from '../../archive/tar-entries.ts'
import { TsrunError } from '../../errors.ts'
import { fromByteText } from '../../util/byte-text.ts'
import { splitPath } from '../../util/split-path.ts'
import type { UpperEntry } from './upper-layer.ts'

/** What is in an upper folder as the entries of a layer. */
export async function* layerEntries(upper: AsyncIterable<UpperEntry>): AsyncGenerator<TarEntry> {
  for await (const { path, kind, isOpaque, entry } of upper) {
    const [folder, base] = splitPath(path)
    const inFolder = (name: string, of: string) => (of === '' ? name : `${of}/${name}`)
    if (kind === 'removed') yield whiteout(inFolder(`.wh.${base}`, folder), entry)
    else {
      if (base.startsWith('.wh.')) throw markerName(path)
      yield entry
      if (isOpaque) yield whiteout(inFolder('.wh..wh..opq', path), entry)
    }
  }
}

// In a layer it would remove what is below: of the base, too, on every other machine.
function markerName(path: string): TsrunError {
  return new TsrunError(
    'failed-precondition',
    `cannot make a layer: the file "${fromByteText(path)}" has a name that means "removed" in one`,
    { hint: 'names in images must not begin with .wh. (image-spec layer.md)' },
  )
}

function whiteout(name: string, { mtime, content: _own, ...entry }: TarEntry): TarEntry {
  return {
    ...entry,
    name,
    type: 'file',
    mode: 0o600,
    mtime,
    size: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
    sparse: undefined,
    content: nothing(),
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}
