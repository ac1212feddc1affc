/** `volume export` and `volume import`: the files of a volume as one tar. */
import { constants, openSync } from 'node:fs'
import { inflate } from '../../archive/compression.ts'
import { readTarEntries } from '../../archive/tar-entries.ts'
import { writeTar } from '../../archive/tar-writer.ts'
import { TsrunError } from '../../errors.ts'
import { maxInflatedOf } from '../../images/max-inflated.ts'
import { OwnedFd } from '../../native/owned-fd.ts'
import { createZstdInflate } from '../../native/zstd.ts'
import { inputError, openInput, sizeOfInput } from '../archive-input.ts'
import type { Engine } from '../engine.ts'
import { readTree } from '../files/read-tree.ts'
import { writeTree } from '../files/write-tree.ts'
import { mountVolume, unmountVolume } from './mount-volume.ts'

type OnSkipped = (path: string, reason: string) => void

/** A tar of what is in the volume now, also while containers use it; sockets are left out, and told of. */
export async function* exportVolume(
  engine: Engine,
  name: string,
  onSkipped: OnSkipped,
): AsyncGenerator<Buffer> {
  await using files = await openVolume(engine, name)
  yield* writeTar(readTree(files.root, '', { onSkipped }))
}

/**
 * Unpacks a tar, also a compressed one, at `path` or on standard input, into the volume. What the volume has stays, unless an entry has its
 * name; a tar that is broken leaves what came before.
 */
export async function importVolume(
  engine: Engine,
  name: string,
  path: string | undefined,
  onSkipped: OnSkipped,
): Promise<void> {
  await using files = await openVolume(engine, name)
  try {
    const bound = { packedSize: sizeOfInput(path), maximum: maxInflatedOf() }
    const entries = readTarEntries(inflate(openInput(path), createZstdInflate, bound))
    await writeTree(files.root, entries, { onSkipped, privileged: true })
  } catch (cause) {
    throw inputError('import', path, cause)
  }
}

interface OpenVolume extends AsyncDisposable {
  readonly root: OwnedFd
}

// The lock is not kept: a long copy would hold up containers that start and end with the volume.
async function openVolume(engine: Engine, name: string): Promise<OpenVolume> {
  const root = await openRoot(engine, name)
  return {
    root,
    async [Symbol.asyncDispose]() {
      root.close()
      await unmountVolume(engine, name, '')
    },
  }
}

async function openRoot(engine: Engine, name: string): Promise<OwnedFd> {
  engine.volumes.find(name)
  using locked = await engine.volumes.lock(name, 'exclusive')
  if (locked === undefined) throw new TsrunError('not-found', `no such volume: ${name}`)
  const { path } = mountVolume(locked)
  return new OwnedFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
}
