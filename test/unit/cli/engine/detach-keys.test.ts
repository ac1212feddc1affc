import { describe, expect, it } from 'vitest'
import { DetachKeyWatcher, parseDetachKeys } from '../../../../src/cli/engine/detach-keys.ts'

describe('parseDetachKeys()', () => {
  it('reads control and plain keys', () => {
    expect([...parseDetachKeys('ctrl-p,ctrl-q')]).toEqual([16, 17])
    expect([...parseDetachKeys('a,ctrl-[')]).toEqual([97, 27])
    expect([...parseDetachKeys('')]).toEqual([])
  })

  it('refuses others by name', () => {
    expect(() => parseDetachKeys('ctrl-P,x')).toThrow(/"ctrl-P"/)
    expect(() => parseDetachKeys('esc')).toThrow(/"esc"/)
  })
})

describe('DetachKeyWatcher', () => {
  const feed = (...chunks: string[]) => {
    const watcher = new DetachKeyWatcher(parseDetachKeys('ctrl-p,ctrl-q'))
    const results = chunks.map((chunk) => watcher.feed(Buffer.from(chunk)))
    return { pass: results.map(({ pass }) => pass.toString()), detached: results.at(-1)?.detached }
  }

  it('passes on what is no detach sequence', () => {
    expect(feed('ls\r')).toEqual({ pass: ['ls\r'], detached: false })
    expect(feed('\x10', 'x')).toEqual({ pass: ['', '\x10x'], detached: false })
    expect(feed('\x10\x10', 'x')).toEqual({ pass: ['\x10', '\x10x'], detached: false })
  })

  it('finds the sequence across chunks', () => {
    expect(feed('a\x10', '\x11b')).toEqual({ pass: ['a', ''], detached: true })
    expect(feed('\x10\x10\x11')).toEqual({ pass: ['\x10'], detached: true })
  })
})
