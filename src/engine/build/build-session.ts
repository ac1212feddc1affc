/** What all steps of one build share. */
import { join } from 'node:path'
import type { Dockerfile } from '../../dockerfile/instruction.ts'
import type { ImageStore } from '../../images/image-store.ts'
import type { Platform } from '../../oci/platform.ts'
import type { Engine } from '../engine.ts'
import type { BuildRequest } from './build-request.ts'
import { Downloads } from './downloads.ts'

export class BuildSession implements Disposable {
  readonly engine: Engine
  readonly store: ImageStore
  readonly request: BuildRequest
  readonly dockerfile: Dockerfile
  readonly platform: Platform
  /** Names of build arguments that some ARG has asked for. */
  readonly usedArgs = new Set<string>()
  /** What ADD has downloaded. */
  readonly downloads: Downloads
  #steps = 0

  constructor(parts: {
    engine: Engine
    store: ImageStore
    request: BuildRequest
    dockerfile: Dockerfile
    platform: Platform
  }) {
    this.engine = parts.engine
    this.store = parts.store
    this.request = parts.request
    this.dockerfile = parts.dockerfile
    this.platform = parts.platform
    this.downloads = new Downloads(join(parts.engine.dataRoot, 'build', 'downloads'), {
      signal: parts.request.signal,
    })
  }

  [Symbol.dispose](): void {
    this.downloads[Symbol.dispose]()
  }

  /** Tells of a step while `work` is done, which says whether it was in the cache. */
  async step<Result>(
    name: string,
    work: (id: number) => Promise<{ readonly cached: boolean; readonly result: Result }>,
  ): Promise<Result> {
    const { onProgress, signal } = this.request
    signal?.throwIfAborted()
    const id = ++this.#steps
    const start = performance.now()
    const end = (how: 'done' | 'cached' | 'failed') =>
      onProgress({ type: 'done', id, how, seconds: (performance.now() - start) / 1000 })
    onProgress({ type: 'step', id, name })
    try {
      const { cached, result } = await work(id)
      end(cached ? 'cached' : 'done')
      return result
    } catch (error) {
      end('failed')
      throw error
    }
  }

  /** Nanoseconds that no time in a layer may be after. */
  get latestTime(): bigint | undefined {
    const { epoch } = this.request
    return epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n
  }

  /** When something is made now, as an image says it. */
  now(): string {
    const { epoch } = this.request
    return (epoch === undefined ? new Date() : new Date(epoch * 1000)).toISOString()
  }
}
