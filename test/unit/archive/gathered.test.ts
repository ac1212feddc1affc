import { describe, expect, it } from 'vitest'
import { gathered } from '../../../src/archive/gathered.ts'

const ticks = () => new Promise((resolve) => setImmediate(resolve))

describe('gathered()', () => {
  it('joins what has piled up while the consumer was busy, up to the maximum', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) yield Buffer.from(text)
    }
    const chunks: string[] = []
    for await (const chunk of gathered(source(), 3)) {
      chunks.push(chunk.toString())
      await ticks()
    }
    expect(chunks.join('')).toBe('abcdef')
    expect(chunks.length).toBeLessThan(6)
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(3)
  })

  it('gives what came before an error, then the error', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from('a')
      yield Buffer.from('b')
      throw new Error('broken')
    }
    let got = ''
    const reading = async () => {
      for await (const chunk of gathered(source(), 10)) got += chunk.toString()
    }
    await expect(reading()).rejects.toThrow('broken')
    expect(got).toBe('ab')
  })

  it('closes the source when the consumer leaves', async () => {
    let isClosed = false
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.from('a')
      } finally {
        isClosed = true
      }
    }
    for await (const _ of gathered(source(), 2)) break
    expect(isClosed).toBe(true)
  })
})
