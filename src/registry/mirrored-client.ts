/** One repository behind several registries: the first that has what is asked for gives it. */
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import {
  type FetchedManifest,
  RegistryClient,
  type RegistryClientOptions,
} from './registry-client.ts'
import type { RegistryEndpoint } from './resolve-reference.ts'

/** Mirrors first, the registry itself last. Dispose it to close its connections. */
export class MirroredClient implements Disposable {
  readonly #clients: readonly RegistryClient[]
  /** Mirrors that have failed once are not asked again. */
  readonly #failed = new Set<RegistryClient>()
  readonly #failures: string[] = []

  constructor(endpoints: readonly RegistryEndpoint[], options: RegistryClientOptions) {
    this.#clients = endpoints.map((endpoint) => new RegistryClient(endpoint, options))
  }

  /** The host of the registry that gives the image. */
  get host(): string {
    return this.#good[0]?.endpoint.host ?? ''
  }

  async getManifest(name: string, signal?: AbortSignal): Promise<FetchedManifest> {
    return await this.#first(signal, (client) => client.getManifest(name, signal))
  }

  /** Manifests that say they are about the one with this digest. */
  async listReferrers(digest: string, signal?: AbortSignal): Promise<readonly Descriptor[]> {
    return await this.#first(signal, (client) => client.listReferrers(digest, signal))
  }

  /** All tags of the repository. */
  async listTags(signal?: AbortSignal): Promise<readonly string[]> {
    return await this.#first(signal, (client) => client.listTags(signal))
  }

  /** The blob from byte `offset` on; where one registry ends, the next goes on. */
  async *streamBlob(
    descriptor: Descriptor,
    offset: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer> {
    let at = offset
    for (;;) {
      const [client] = this.#good
      if (client === undefined) return
      try {
        for await (const chunk of client.streamBlob(descriptor, at, signal)) {
          at += chunk.length
          yield chunk
        }
        return
      } catch (error) {
        this.#giveUp(client, error, signal)
      }
    }
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client[Symbol.dispose]()
  }

  get #good(): readonly RegistryClient[] {
    return this.#clients.filter((client) => !this.#failed.has(client))
  }

  async #first<T>(
    signal: AbortSignal | undefined,
    ask: (client: RegistryClient) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const [client] = this.#good
      if (client === undefined) throw new RangeError('no registry to ask')
      try {
        return await ask(client)
      } catch (error) {
        this.#giveUp(client, error, signal)
      }
    }
  }

  /** Goes on without a mirror; the last registry's failure is everybody's, and tells what the mirrors said. */
  #giveUp(client: RegistryClient, error: unknown, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (!(error instanceof TsrunError)) throw error
    // Another stream has given it up in the meantime.
    if (this.#failed.has(client)) return
    if (this.#good.length > 1) {
      this.#failed.add(client)
      this.#failures.push(error.message)
      return
    }
    if (this.#failures.length === 0) throw error
    throw new TsrunError(
      error.kind,
      `${error.message}; mirrors before it: ${this.#failures.join('; ')}`,
      {
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        ...(error.errno === undefined ? {} : { errno: error.errno }),
      },
    )
  }
}
