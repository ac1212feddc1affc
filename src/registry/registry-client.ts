/** Speaks the OCI distribution API with one registry: manifests whole, blobs as streams. */
import { createHash } from 'node:crypto'
import type { Response } from 'node-fetch'
import { TsrunError } from '../errors.ts'
import { parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/image.ts'
import { MANIFEST_ACCEPT } from '../oci/media-types.ts'
import { MAX_MANIFEST_BYTES } from '../oci/parse-image.ts'
import { type Credentials, findCredentials } from './credentials.ts'
import { fetchBlob } from './fetch-blob.ts'
import { listReferrers } from './list-referrers.ts'
import { listTags } from './list-tags.ts'
import { type BlobUpload, pushBlob, type UploadedBlob } from './push-blob.ts'
import { failed } from './registry-errors.ts'
import { RegistryRequests, type RetryPolicy } from './registry-requests.ts'
import { type RegistryEndpoint, repositoryPath } from './resolve-reference.ts'

export interface RegistryClientOptions {
  readonly credentials?: () => Promise<Credentials | undefined>
  readonly retry?: Partial<RetryPolicy>
  readonly stallMs?: number
  readonly env?: NodeJS.ProcessEnv
  /** Token scopes; default: to pull from the endpoint's repository. */
  readonly scope?: string
}

export interface FetchedManifest {
  readonly mediaType: string
  /** Of {@link bytes}, computed here. */
  readonly digest: string
  readonly bytes: Buffer
}

/** One registry and repository. Dispose it to close its connections. */
export class RegistryClient implements Disposable {
  readonly endpoint: RegistryEndpoint
  readonly #requests: RegistryRequests

  constructor(endpoint: RegistryEndpoint, options: RegistryClientOptions = {}) {
    this.endpoint = endpoint
    this.#requests = new RegistryRequests(endpoint, {
      ...options,
      credentials:
        options.credentials ??
        (() => findCredentials(endpoint.host, { repository: endpoint.repository })),
    })
  }

  /** The manifest or index behind a tag or digest; the digest, when one is asked for, is verified. */
  async getManifest(name: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const { repository, host } = this.endpoint
    const what = `manifest "${repository}:${name}"`.replace(':sha', '@sha')
    const response = await this.#requests.send({
      path: `${repositoryPath(this.endpoint)}/manifests/${name}`,
      headers: { accept: MANIFEST_ACCEPT.join(', ') },
      what,
      signal,
    })
    const mediaType = mediaTypeOf(response)
    if (mediaType === 'text/html') throw this.#notARegistry(what, mediaType)
    const bytes = await this.#requests.readBytes(response, MAX_MANIFEST_BYTES, what)
    const wanted = name.includes(':') ? name : response.headers.get('docker-content-digest')
    const algorithm =
      wanted === null || !wanted.includes(':') ? 'sha256' : parseDigest(wanted).algorithm
    const digest = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
    if (wanted !== null && wanted !== '' && wanted !== digest) {
      throw new TsrunError(
        'invalid-argument',
        `cannot use ${what} from registry "${host}": it has the digest ${digest}, not ${wanted}`,
      )
    }
    return { mediaType, digest, bytes }
  }

  /** The blob from byte `offset` on; dropped connections are taken up again where they broke. */
  streamBlob(descriptor: Descriptor, offset: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    return fetchBlob(this.#requests, this.endpoint, { descriptor, offset, signal })
  }

  /** Whether the repository has the manifest with this digest. */
  async hasManifest(digest: string, signal?: AbortSignal): Promise<boolean> {
    const { repository } = this.endpoint
    const response = await this.#requests.send({
      method: 'HEAD',
      path: `${repositoryPath(this.endpoint)}/manifests/${digest}`,
      headers: { accept: MANIFEST_ACCEPT.join(', ') },
      what: `manifest "${repository}@${digest}"`,
      accept: [404],
      signal,
    })
    await this.#requests.transport.finish(response)
    return response.ok
  }

  /** Stores the manifest under a tag or its digest; its blobs must be there. */
  async putManifest(name: string, manifest: FetchedManifest, signal?: AbortSignal): Promise<void> {
    const { repository, host } = this.endpoint
    const what = `manifest "${repository}:${name}"`.replace(':sha', '@sha')
    const response = await this.#requests.send({
      method: 'PUT',
      path: `${repositoryPath(this.endpoint)}/manifests/${name}`,
      headers: {
        'content-type': manifest.mediaType,
        'content-length': String(manifest.bytes.length),
      },
      body: () => manifest.bytes,
      what,
      action: 'push',
      signal,
    })
    await this.#requests.transport.finish(response)
    const stored = response.headers.get('docker-content-digest')
    if (stored === null || stored === manifest.digest) return
    throw new TsrunError(
      'unavailable',
      `${failed('push', what, host)}: it has stored ${stored} instead of ${manifest.digest}`,
      { hint: 'something between here and the registry changes content' },
    )
  }

  /** Brings a blob into the repository, unless it is there. */
  async pushBlob(upload: BlobUpload): Promise<UploadedBlob> {
    return await pushBlob(this.#requests, this.endpoint, upload)
  }

  /** Manifests that say they are about the one with this digest. */
  async listReferrers(digest: string, signal?: AbortSignal): Promise<readonly Descriptor[]> {
    return await listReferrers(this.#requests, this.endpoint, digest, signal)
  }

  /** All tags of the repository, page by page. */
  async listTags(signal?: AbortSignal): Promise<readonly string[]> {
    return await listTags(this.#requests, this.endpoint, signal)
  }

  [Symbol.dispose](): void {
    this.#requests[Symbol.dispose]()
  }

  #notARegistry(what: string, mediaType: string): TsrunError {
    return new TsrunError(
      'unavailable',
      `cannot get ${what} from registry "${this.endpoint.host}": it answered with ${mediaType} instead of a manifest`,
      {
        hint: 'check that the name of the registry is right and that no proxy or portal answers for it',
      },
    )
  }
}

function mediaTypeOf(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}
