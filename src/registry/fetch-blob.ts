/** Streams one blob from a registry and takes a broken connection up again by Range (RFC 9110 14.2). */
import type { Response } from 'node-fetch'
import { TsrunError } from '../errors.ts'
import type { Descriptor } from '../oci/image.ts'
import { connectionError } from './registry-errors.ts'
import type { RegistryRequests } from './registry-requests.ts'
import { type RegistryEndpoint, repositoryPath } from './resolve-reference.ts'

export interface BlobRequest {
  readonly descriptor: Descriptor
  /** First byte that is wanted. */
  readonly offset: number
  readonly signal?: AbortSignal | undefined
}

/** The bytes of the blob from `offset` to the size in its descriptor; neither more nor fewer. */
export async function* fetchBlob(
  requests: RegistryRequests,
  endpoint: RegistryEndpoint,
  { descriptor, offset, signal }: BlobRequest,
): AsyncGenerator<Buffer> {
  const what = `blob "${descriptor.digest}"`
  let at = offset
  let failures = 0
  while (at < descriptor.size) {
    const start = at
    const response = await requests.send({
      path: `${repositoryPath(endpoint)}/blobs/${descriptor.digest}`,
      headers: at === 0 ? {} : { range: `bytes=${at}-` },
      what,
      signal,
    })
    let skip = skipOf(response, at, descriptor, endpoint.host)
    let broken: unknown
    try {
      for await (const chunk of requests.transport.chunks(response, signal)) {
        const wanted = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - wanted.length
        if (at + wanted.length > descriptor.size) throw tooLong(descriptor, endpoint.host)
        at += wanted.length
        if (wanted.length > 0) yield wanted
      }
    } catch (cause) {
      signal?.throwIfAborted()
      if (cause instanceof TsrunError) throw cause
      broken = cause
    }
    if (at >= descriptor.size) return
    // Any progress counts as a new start: a flaky line that delivers is no reason to give up.
    failures = at > start ? 1 : failures + 1
    if (failures >= requests.retry.attempts) throw ended(descriptor, endpoint.host, at, broken)
    await requests.wait(failures, signal)
  }
}

// How much of the answer lies before `at`. A registry may ignore Range and send all (RFC 9110 14.2).
function skipOf(response: Response, at: number, descriptor: Descriptor, host: string): number {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '')
  if (response.status === 206 && range !== null) {
    if (range[2] !== '*' && Number(range[2]) !== descriptor.size)
      throw sizeLie(descriptor, host, Number(range[2]))
    if (Number(range[1]) > at) throw sizeLie(descriptor, host, Number(range[2]))
    return at - Number(range[1])
  }
  if (response.status === 206 && at > 0) return 0
  const length = response.headers.get('content-length')
  if (length !== null && Number(length) !== descriptor.size)
    throw sizeLie(descriptor, host, Number(length))
  return at
}

function sizeLie(descriptor: Descriptor, host: string, said: number): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot get blob "${descriptor.digest}" from registry "${host}": it has ${said} bytes there, where the manifest says ${descriptor.size}`,
    { hint: 'the registry or the image is damaged: push the image again' },
  )
}

function tooLong(descriptor: Descriptor, host: string): TsrunError {
  return new TsrunError(
    'invalid-argument',
    `cannot get blob "${descriptor.digest}" from registry "${host}": it is longer than the ${descriptor.size} bytes in the manifest`,
    { hint: 'the registry or the image is damaged: push the image again' },
  )
}

function ended(descriptor: Descriptor, host: string, at: number, cause: unknown): TsrunError {
  const message = `cannot get blob "${descriptor.digest}" from registry "${host}": the connection ended after ${at} of ${descriptor.size} bytes, again and again`
  return new TsrunError('unavailable', message, {
    ...(cause === undefined ? {} : { cause: connectionError(host, 'the rest', cause) }),
    hint: 'pull again: what has arrived is kept',
  })
}
