/**
 * Uploads one blob (distribution-spec "Pushing blobs"): not at all when it is there, by a mount when another
 * repository has it, whole when it is small, and in chunks that are taken up again when it is large.
 *
 *   HEAD blob ── 200 ─► exists
 *      │ 404
 *   POST uploads/?mount=…&from=… ── 201 ─► mounted
 *      │ 202 Location
 *   PATCH Location (Content-Range) … ◄─┐ broken: GET Location tells how much has arrived
 *      │ 202 Location ─────────────────┘ gone: POST again
 *   PUT Location?digest=… ── 201 ─► pushed
 */
import type { Response } from 'node-fetch'
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { connectionError, failed, isTransient } from './registry-errors.ts'
import type { RegistryRequest, RegistryRequests } from './registry-requests.ts'
import { type RegistryEndpoint, repositoryPath } from './resolve-reference.ts'

export interface BlobUpload {
  readonly descriptor: Pick<Descriptor, 'digest' | 'size'>
  /** The content from byte `start` to before `end`; called again when a part must be sent again. */
  readonly open: (start: number, end: number) => AsyncIterable<Buffer>
  /** Repositories of the same registry that may have it. */
  readonly mountFrom: readonly string[]
  readonly onBytes: (sent: number) => void
  readonly signal?: AbortSignal | undefined
  /** Blobs above it go in chunks of it. */
  readonly chunkBytes?: number
}

export type UploadedBlob = 'exists' | 'mounted' | 'pushed'

/** Below the 100 MB at which common proxies refuse a request. */
const DEFAULT_CHUNK_BYTES = 32 * 1024 * 1024
const MAX_MOUNTS = 3
/** Statuses after which the next try begins with a new upload. */
const UPLOAD_GONE: ReadonlySet<number> = new Set([404, 410])
const NO_CHUNKS: ReadonlySet<number> = new Set([405, 411, 415, 501])

/** Brings the blob into the endpoint's repository. */
export async function pushBlob(
  requests: RegistryRequests,
  endpoint: RegistryEndpoint,
  upload: BlobUpload,
): Promise<UploadedBlob> {
  return await new Uploader(requests, endpoint, upload).run()
}

type UploadRequest = Omit<RegistryRequest, 'what' | 'signal' | 'action'>

interface Session {
  readonly location: URL
  /** The smallest chunk that the registry takes, but for the last. */
  readonly minimum: number
}

class Uploader {
  readonly #requests: RegistryRequests
  readonly #endpoint: RegistryEndpoint
  readonly #upload: BlobUpload
  readonly #what: string
  #failures = 0
  #inChunks = true

  constructor(requests: RegistryRequests, endpoint: RegistryEndpoint, upload: BlobUpload) {
    this.#requests = requests
    this.#endpoint = endpoint
    this.#upload = upload
    this.#what = `blob "${upload.descriptor.digest}"`
  }

  async run(): Promise<UploadedBlob> {
    if (await this.#exists()) return 'exists'
    for (const from of this.#upload.mountFrom.slice(0, MAX_MOUNTS)) {
      if (await this.#mount(from)) return 'mounted'
    }
    // An upload that makes progress and is lost again and again must come to an end too.
    for (let uploads = 1; uploads <= this.#requests.retry.attempts; uploads++) {
      const session = await this.#begin()
      if (await this.#send(session)) return 'pushed'
      // Broken after its last byte, the upload may have come to its end without us.
      if (await this.#exists()) return 'pushed'
    }
    throw this.#givenUp('it forgets the upload again and again')
  }

  async #exists(): Promise<boolean> {
    const response = await this.#ask({
      method: 'HEAD',
      path: `${this.#base}/blobs/${this.#upload.descriptor.digest}`,
      accept: [404],
    })
    return response.ok
  }

  // A registry may answer a mount it does not make with an upload (202) or with a refusal: both mean no.
  async #mount(from: string): Promise<boolean> {
    const query = new URLSearchParams({ mount: this.#upload.descriptor.digest, from })
    const response = await this.#ask({
      method: 'POST',
      path: `${this.#base}/blobs/uploads/?${query}`,
      accept: [400, 401, 403, 404, 405],
    })
    if (response.status === 202) await this.#cancel(response)
    return response.status === 201
  }

  async #cancel(response: Response): Promise<void> {
    if (response.headers.get('location') === null) return
    try {
      await this.#ask({
        method: 'DELETE',
        path: this.#locationOf(response),
        accept: [400, 404, 405],
        retried: false,
      })
    } catch (error) {
      // An upload that nobody goes on with is the registry's to forget.
      this.#upload.signal?.throwIfAborted()
      if (!(error instanceof TsrunError)) throw error
    }
  }

  async #begin(): Promise<Session> {
    const response = await this.#ask({ method: 'POST', path: `${this.#base}/blobs/uploads/` })
    return { location: this.#locationOf(response), minimum: minimumOf(response) }
  }

  /** False when a new upload must be begun. */
  async #send(session: Session): Promise<boolean> {
    const { descriptor, chunkBytes = DEFAULT_CHUNK_BYTES } = this.#upload
    if (!this.#inChunks || descriptor.size <= chunkBytes) {
      return await this.#put(session.location, 0, descriptor.size)
    }
    const chunk = Math.max(chunkBytes, session.minimum)
    let { location } = session
    let at = 0
    while (at < descriptor.size) {
      const sent = await this.#patch(location, at, Math.min(at + chunk, descriptor.size))
      if (sent === undefined) return false
      location = sent.location
      if (sent.at > at) this.#failures = 0
      at = sent.at
    }
    return await this.#put(location, at, at)
  }

  /** Sends bytes `start` to `end` and tells how far the upload is now; undefined when it is gone. */
  async #patch(
    location: URL,
    start: number,
    end: number,
  ): Promise<{ location: URL; at: number } | undefined> {
    const response = await this.#try({
      method: 'PATCH',
      path: location,
      headers: { ...binary(end - start), 'content-range': `${start}-${end - 1}` },
      body: () => this.#content(start, end),
      accept: [404, 405, 408, 410, 411, 415, 416, 425, 429, 500, 501, 502, 503, 504],
    })
    if (response?.ok === true) {
      return { location: this.#locationOf(response), at: arrivedOf(response) ?? end }
    }
    if (response !== undefined && NO_CHUNKS.has(response.status)) this.#inChunks = false
    if (response !== undefined && (UPLOAD_GONE.has(response.status) || !this.#inChunks)) {
      await this.#failed(response.status)
      return undefined
    }
    await this.#failed(response?.status)
    return await this.#askHowFar(location)
  }

  async #askHowFar(location: URL): Promise<{ location: URL; at: number } | undefined> {
    const response = await this.#ask({ path: location, accept: [400, 404, 405, 410, 416] })
    if (!response.ok) return undefined
    const moved = response.headers.get('location')
    const at = arrivedOf(response)
    if (at === undefined || at > this.#upload.descriptor.size) return undefined
    return { location: moved === null ? location : this.#locationOf(response), at }
  }

  async #put(location: URL, start: number, end: number): Promise<boolean> {
    const url = new URL(location)
    url.searchParams.set('digest', this.#upload.descriptor.digest)
    const response = await this.#try({
      method: 'PUT',
      path: url,
      headers: binary(end - start),
      ...(end > start ? { body: () => this.#content(start, end) } : {}),
      accept: [404, 408, 410, 416, 425, 429, 500, 502, 503, 504],
    })
    if (response?.ok === true) return true
    await this.#failed(response?.status)
    return false
  }

  async *#content(start: number, end: number): AsyncGenerator<Buffer> {
    let at = start
    for await (const chunk of this.#upload.open(start, end)) {
      at += chunk.length
      yield chunk
      this.#upload.onBytes(at)
    }
  }

  /** An answer whose body nobody needs; undefined when the connection broke. */
  async #try(request: UploadRequest): Promise<Response | undefined> {
    try {
      return await this.#ask({ ...request, retried: false })
    } catch (cause) {
      this.#upload.signal?.throwIfAborted()
      if (!(cause instanceof TsrunError) || !isTransient(cause)) throw cause
      return undefined
    }
  }

  async #ask(request: UploadRequest): Promise<Response> {
    const { signal } = this.#upload
    const response = await this.#requests.send({
      ...request,
      what: this.#what,
      action: 'push',
      signal,
    })
    await this.#requests.transport.finish(response)
    return response
  }

  /** Counts a failure and waits; throws when there were too many in a row without a byte of progress. */
  async #failed(status: number | undefined): Promise<void> {
    this.#failures++
    if (this.#failures >= this.#requests.retry.attempts) {
      const { host } = this.#endpoint
      if (status === undefined)
        throw connectionError(host, this.#what, new Error('it breaks again and again'), 'push')
      throw this.#givenUp(`it answers ${status} again and again`)
    }
    await this.#requests.wait(this.#failures, this.#upload.signal)
  }

  #givenUp(problem: string): TsrunError {
    return new TsrunError(
      'unavailable',
      `${failed('push', this.#what, this.#endpoint.host)}: ${problem}`,
      { hint: 'push again later: blobs that have arrived are not sent again' },
    )
  }

  // Relative to where the answer came from, which need not be the registry (RFC 9110 10.2.2).
  #locationOf(response: Response): URL {
    const location = response.headers.get('location')
    if (location !== null && URL.canParse(location, response.url))
      return new URL(location, response.url)
    throw new TsrunError(
      'unavailable',
      `${failed('push', this.#what, this.#endpoint.host)}: it names no place to upload to`,
    )
  }

  get #base(): string {
    return repositoryPath(this.#endpoint)
  }
}

function binary(length: number): Record<string, string> {
  return { 'content-type': 'application/octet-stream', 'content-length': String(length) }
}

function minimumOf(response: Response): number {
  const text = response.headers.get('oci-chunk-min-length') ?? ''
  return /^\d{1,10}$/.test(text) ? Number(text) : 0
}

// `0-N` are N + 1 bytes; registries say `0-0` also for none, and no chunk of ours is one byte.
function arrivedOf(response: Response): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.headers.get('range') ?? '')
  if (match === null) return undefined
  const last = Number(match[1])
  return last === 0 ? 0 : last + 1
}
