/** What every content store promises (src/content/content-store.ts), as a suite for its implementations. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { ContentStore } from '../../src/content/content-store.ts'
import { digestOf } from '../support/make-image.ts'

/** A store with what is needed to look behind it. */
export interface ContentStoreUnderTest extends Disposable {
  readonly store: ContentStore
  /** The same store as another process would open it. */
  reopen(): ContentStore
  /** Changes a byte of a blob behind the store's back. */
  damage(digest: string): void
  /** Puts what a killed process may leave: nobody writes it, and nobody can go on with it. */
  abandon(): void
  /** Names of everything that is neither a blob nor a part of one, nor belongs to an empty store. */
  strays(): readonly string[]
}

/** Runs the suite on stores that `create` makes, each empty and of its own. */
export function describeContentStore(name: string, create: () => ContentStoreUnderTest): void {
  describe(`${name} as a content store`, () => {
    describeReading(create)
    describeIngests(create)
    describeInterruption(create)
    describeConcurrency(create)
    describeCollection(create)
  })
}

type Create = () => ContentStoreUnderTest

const CONTENT = randomBytes(300_000)
const DESCRIPTOR = { digest: digestOf(CONTENT), size: CONTENT.length }

function describeReading(create: Create): void {
  it('knows nothing when it is new', async () => {
    using made = create()
    expect(made.store.has(DESCRIPTOR.digest)).toBe(false)
    expect(made.store.sizeOf(DESCRIPTOR.digest)).toBeUndefined()
    expect(made.store.list()).toEqual([])
    expect(() => made.store.read(DESCRIPTOR.digest, 1e6)).toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    )
    await expect(collect(made.store.stream(DESCRIPTOR.digest))).rejects.toMatchObject({
      kind: 'not-found',
    })
  })

  it('gives back what was written, whole and in pieces, and lists it', async () => {
    using made = create()
    expect(await made.store.write(CONTENT)).toEqual(DESCRIPTOR)
    const other = made.reopen()
    expect(other.read(DESCRIPTOR.digest, CONTENT.length)).toEqual(CONTENT)
    expect(await collect(other.stream(DESCRIPTOR.digest))).toEqual(CONTENT)
    expect(other.list()).toEqual([DESCRIPTOR.digest])
    expect(other.has(DESCRIPTOR.digest, DESCRIPTOR.size)).toBe(true)
    expect(other.has(DESCRIPTOR.digest, DESCRIPTOR.size + 1)).toBe(false)
  })

  it('reads nothing into memory that is larger than the caller bears', async () => {
    using made = create()
    await made.store.write(CONTENT)
    expect(() => made.store.read(DESCRIPTOR.digest, CONTENT.length - 1)).toThrow(
      expect.objectContaining({ kind: 'invalid-argument' }),
    )
  })

  it('says so when a blob is damaged', async () => {
    using made = create()
    await made.store.write(CONTENT)
    await made.store.verify(DESCRIPTOR.digest)
    made.damage(DESCRIPTOR.digest)
    const damaged = { kind: 'failed-precondition' }
    await expect(made.store.verify(DESCRIPTOR.digest)).rejects.toMatchObject(damaged)
    expect(() => made.store.read(DESCRIPTOR.digest, 1e6)).toThrow(expect.objectContaining(damaged))
  })

  it.each(['sha256:../../etc/passwd', 'sha256:00', 'md5:d41d8cd98f00b204e9800998ecf8427e', ''])(
    'takes no digest such as %j',
    async (digest) => {
      using made = create()
      expect(() => made.store.has(digest)).toThrow(
        expect.objectContaining({ kind: 'invalid-argument' }),
      )
      await expect(made.store.openIngest({ digest, size: 1 })).rejects.toMatchObject({
        kind: 'invalid-argument',
      })
    },
  )
}

function describeIngests(create: Create): void {
  it('shows a blob only once it is committed, and then needs no other', async () => {
    using made = create()
    using ingest = await open(made.store)
    await ingest.write(CONTENT)
    expect(made.store.has(DESCRIPTOR.digest)).toBe(false)
    await ingest.commit()
    expect(made.store.has(DESCRIPTOR.digest)).toBe(true)
    expect(await made.store.openIngest(DESCRIPTOR)).toBeUndefined()
  })

  it('does not commit twice, and keeps the blob when asked to', async () => {
    using made = create()
    using ingest = await open(made.store)
    await ingest.write(CONTENT)
    await ingest.commit()
    await expect(ingest.commit()).rejects.toThrow()
    await made.store.verify(DESCRIPTOR.digest)
  })

  it('refuses content with another digest and keeps none of it', async () => {
    using made = create()
    using ingest = await open(made.store)
    await ingest.write(Buffer.alloc(CONTENT.length))
    await expect(ingest.commit()).rejects.toMatchObject({ kind: 'invalid-argument' })
    expect(made.store.list()).toEqual([])
    using again = await open(made.store)
    expect(again.offset).toBe(0)
  })

  it('names a digest of another algorithm rightly', async () => {
    using made = create()
    using ingest = await made.store.openIngest({ digest: `sha512:${'0'.repeat(128)}`, size: 1 })
    await ingest?.write(Buffer.from('x'))
    await expect(ingest?.commit()).rejects.toThrow(/has the digest sha512:[0-9a-f]{128}$/)
  })

  it('refuses content that is too long at once, and keeps none of it', async () => {
    using made = create()
    using ingest = await open(made.store)
    const longer = Buffer.concat([CONTENT, Buffer.from('x')])
    await expect(ingest.write(longer)).rejects.toMatchObject({ kind: 'invalid-argument' })
    expect(made.store.list()).toEqual([])
    using again = await open(made.store)
    expect(again.offset).toBe(0)
  })

  it('refuses another size for a blob that is there', async () => {
    using made = create()
    await made.store.write(CONTENT)
    const lie = { ...DESCRIPTOR, size: DESCRIPTOR.size - 1 }
    await expect(made.store.openIngest(lie)).rejects.toMatchObject({ kind: 'invalid-argument' })
  })

  it('finds out the digest of a stream, and leaves nothing of one that breaks', async () => {
    using made = create()
    expect(await made.store.writeStream(pieces(CONTENT))).toEqual(DESCRIPTOR)
    await made.store.verify(DESCRIPTOR.digest)
    async function* broken(): AsyncGenerator<Buffer> {
      yield randomBytes(10)
      throw new Error('broken')
    }
    await expect(made.store.writeStream(broken())).rejects.toThrow('broken')
    expect(made.store.list()).toEqual([DESCRIPTOR.digest])
    expect(made.strays()).toEqual([])
  })
}

function describeInterruption(create: Create): void {
  it('goes on where another process was interrupted, and replays what is there', async () => {
    using made = create()
    const first = await open(made.store)
    await first.write(CONTENT.subarray(0, 100_000))
    await expect(first.commit()).rejects.toMatchObject({ kind: 'unavailable' })
    first[Symbol.dispose]()
    const other = made.reopen()
    using second = await open(other)
    expect(second.offset).toBe(100_000)
    expect(await collect(second.replay())).toEqual(CONTENT.subarray(0, 100_000))
    await second.write(CONTENT.subarray(100_000))
    await second.commit()
    await other.verify(DESCRIPTOR.digest)
  })

  it('does not go on before the part was replayed: its digest is not known', async () => {
    using made = create()
    const first = await open(made.store)
    await first.write(CONTENT.subarray(0, 10))
    first[Symbol.dispose]()
    using second = await open(made.store)
    await expect(second.write(CONTENT.subarray(10))).rejects.toThrow(RangeError)
  })

  it('begins anew when the part is longer than the blob', async () => {
    using made = create()
    const first = await open(made.store)
    await first.write(CONTENT.subarray(0, 1000))
    first[Symbol.dispose]()
    using second = await made.store.openIngest({ ...DESCRIPTOR, size: 10 })
    expect(second?.offset).toBe(0)
  })

  it('removes what a killed process left, and keeps parts for the next pull', async () => {
    using made = create()
    const part = await open(made.store)
    await part.write(CONTENT.subarray(0, 1000))
    part[Symbol.dispose]()
    made.abandon()
    expect(made.strays()).not.toEqual([])
    made.store.removeAbandoned()
    expect(made.strays()).toEqual([])
    expect(made.store.removeUnfinished()).toBe(1000)
    using again = await open(made.store)
    expect(again.offset).toBe(0)
  })

  it('spares what somebody writes', async () => {
    using made = create()
    using ingest = await open(made.store)
    await ingest.write(CONTENT.subarray(0, 1000))
    expect(made.reopen().removeUnfinished()).toBe(0)
    await ingest.write(CONTENT.subarray(1000))
    await ingest.commit()
    await made.store.verify(DESCRIPTOR.digest)
  })
}

function describeConcurrency(create: Create): void {
  it('lets one of several writers of a digest write, and the others find the blob', async () => {
    using made = create()
    let written = 0
    const write = async (store: ContentStore): Promise<void> => {
      using ingest = await store.openIngest(DESCRIPTOR)
      if (ingest === undefined) return
      written++
      for await (const piece of pieces(CONTENT)) await ingest.write(piece)
      await ingest.commit()
    }
    await Promise.all([made.store, made.reopen(), made.reopen(), made.reopen()].map(write))
    expect(written).toBe(1)
    await made.store.verify(DESCRIPTOR.digest)
  })

  it('lets the next writer go on when one gives up', async () => {
    using made = create()
    const first = await open(made.store)
    const waiting = open(made.reopen())
    await first.write(CONTENT.subarray(0, 5000))
    first[Symbol.dispose]()
    using second = await waiting
    expect(second.offset).toBe(5000)
  })

  it('writes different blobs at the same time', async () => {
    using made = create()
    const blobs = Array.from({ length: 8 }, () => randomBytes(1000))
    await Promise.all(blobs.map((bytes) => made.reopen().write(bytes)))
    expect(made.store.list().toSorted()).toEqual(blobs.map(digestOf).toSorted())
  })
}

function describeCollection(create: Create): void {
  it('gives the right to remove only while nobody holds', async () => {
    using made = create()
    const other = made.reopen()
    const holds = [await made.store.hold(), await other.hold()]
    expect(made.store.tryExclusive()).toBeUndefined()
    for (const hold of holds) hold[Symbol.dispose]()
    using exclusive = made.store.tryExclusive()
    expect(exclusive).toBeDefined()
  })

  it('removes a blob, once and for all', async () => {
    using made = create()
    await made.store.write(CONTENT)
    made.store.remove(DESCRIPTOR.digest)
    made.store.remove(DESCRIPTOR.digest)
    expect(made.store.has(DESCRIPTOR.digest)).toBe(false)
  })
}

async function open(store: ContentStore) {
  const ingest = await store.openIngest(DESCRIPTOR)
  if (ingest === undefined) throw new Error('the blob is there')
  return ingest
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000)
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
