/**
 * What steps of builds have made, by what went into them:
 *
 *   <root>/steps/<hex of key>.json    CachedStep; its times of change say when it was made and last used
 *   <root>/steps/<hex of key>.lock    while a build makes the step
 *   <root>/blobs/<hex of diff id>.json  the compressed blob of a layer, once an image needed one
 *
 * An entry keeps its layers and blobs from the garbage collection of the image store. It may go at any
 * moment, and so may a layer of it: whoever finds one looks whether its layers are there.
 */
import { mkdirSync, statSync, unlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import { lockFile } from '../native/file-lock.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { namesIn } from '../util/if-there.ts'
import { readJsonFile, writeJsonFile } from '../util/json-file.ts'

/** A layer that is unpacked in the store. */
export interface CachedLayer {
  readonly diffId: string
  /** Of the whole chain, from the base up; the layer's own comes last. */
  readonly chainIds: readonly string[]
}

export interface CachedStep {
  readonly version: 1
  /** Undefined: the step changed no file. */
  readonly layer?: CachedLayer
  /** As in Date.toISOString(). */
  readonly created: string
  /** The instruction, for people. */
  readonly text: string
}

/** A step that is in the cache, with the bytes of its layer. */
export interface ListedStep {
  readonly key: string
  readonly step: CachedStep
  readonly lastUsed: Date
}

export class BuildCache {
  readonly #steps: string
  readonly #blobs: string

  /** Nothing is created before something is stored. */
  constructor(root: string) {
    this.#steps = join(root, 'steps')
    this.#blobs = join(root, 'blobs')
  }

  /** The step with this key, which counts as used now. */
  find(key: string): CachedStep | undefined {
    const step = this.#read(key)
    if (step === undefined) return undefined
    const now = new Date()
    try {
      utimesSync(this.#stepPath(key), now, now)
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error
    }
    return step
  }

  add(key: string, step: CachedStep): void {
    mkdirSync(this.#steps, { recursive: true, mode: 0o700 })
    // Its layer was synced before; an entry that a power cut takes is made anew.
    writeJsonFile(this.#stepPath(key), step, { durable: false })
  }

  /**
   * The right to make the step with this key, until disposed; waits for another build that makes it, until `signal`
   * fires.
   */
  async claim(key: string, signal?: AbortSignal): Promise<Disposable> {
    mkdirSync(this.#steps, { recursive: true, mode: 0o700 })
    const path = join(this.#steps, `${key}.lock`)
    const lock = await lockFile(path, 'exclusive', signal)
    return {
      [Symbol.dispose]() {
        removeFile(path)
        lock.close()
      },
    }
  }

  /** The blob of a layer whose plain tar has this digest. */
  blobOf(diffId: string): Descriptor | undefined {
    return readEntry(this.#blobPath(diffId)) as Descriptor | undefined
  }

  addBlob(diffId: string, descriptor: Descriptor): void {
    mkdirSync(this.#blobs, { recursive: true, mode: 0o700 })
    writeJsonFile(this.#blobPath(diffId), descriptor, { durable: false })
  }

  list(): readonly ListedStep[] {
    return namesIn(this.#steps).flatMap((name) => {
      const key = /^([0-9a-f]{64})\.json$/.exec(name)?.[1]
      const step = key === undefined ? undefined : this.#read(key)
      const stats = statSync(join(this.#steps, name), { throwIfNoEntry: false })
      if (key === undefined || step === undefined || stats === undefined) return []
      return [{ key, step, lastUsed: stats.mtime }]
    })
  }

  /** Forgets a step; its layer goes with the next garbage collection when nothing else needs it. */
  remove(key: string): void {
    removeFile(this.#stepPath(key))
  }

  /** Digests of blobs and chain IDs of layers that the entries need, after those that nothing needs were dropped. */
  kept(): { readonly blobs: readonly string[]; readonly chainIds: readonly string[] } {
    const layers = this.list().flatMap(({ step }) => step.layer ?? [])
    const diffIds = new Set(layers.map(({ diffId }) => diffId))
    const blobs = namesIn(this.#blobs).flatMap((name) => {
      const diffId = `sha256:${name.replace(/\.json$/, '')}`
      const descriptor = diffIds.has(diffId) ? this.blobOf(diffId) : undefined
      return descriptor === undefined ? [] : [descriptor.digest]
    })
    return { blobs, chainIds: layers.flatMap(({ chainIds }) => chainIds) }
  }

  /** Forgets the blobs of layers that no step has. */
  removeUnused(): void {
    const diffIds = new Set(
      this.list().map(({ step }) => step.layer?.diffId.replace(/^sha256:/, '') ?? ''),
    )
    for (const name of namesIn(this.#blobs))
      if (!diffIds.has(name.replace(/\.json$/, ''))) removeFile(join(this.#blobs, name))
  }

  #read(key: string): CachedStep | undefined {
    const value = readEntry(this.#stepPath(key)) as CachedStep | undefined
    return value?.version === 1 ? value : undefined
  }

  #stepPath(key: string): string {
    return join(this.#steps, `${key}.json`)
  }

  #blobPath(diffId: string): string {
    return join(this.#blobs, `${parseDigest(diffId).hex}.json`)
  }
}

// A damaged entry is none: the step is done again.
function readEntry(path: string): unknown {
  try {
    return readJsonFile(path)
  } catch (error) {
    if (error instanceof TsrunError) return undefined
    throw error
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error
  }
}
