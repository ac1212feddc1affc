import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type LogOptions,
  openLog,
  parseLogLine,
  readLog,
  readLogFrom,
} from '../../../src/monitor/log-reader.ts'

const T = (second: number) => `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000000Z`

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsrun-log-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

async function read(content: string | Buffer, options: LogOptions = {}): Promise<string[]> {
  const path = join(directory, 'log')
  writeFileSync(path, content)
  const file = await openLog(path)
  try {
    const texts: string[] = []
    for await (const piece of readLog(file, options)) texts.push(piece.text.toString('latin1'))
    return texts
  } finally {
    await file.close()
  }
}

describe('parseLogLine()', () => {
  it('keeps every byte of the text, also what is no UTF-8', () => {
    const line = Buffer.concat([Buffer.from(`${T(1)} stderr P `), Buffer.from([0xff, 0x00, 0x20])])
    expect(parseLogLine(line)).toEqual({
      stream: 'stderr',
      time: T(1),
      text: Buffer.from([0xff, 0x00, 0x20]),
      partial: true,
    })
  })

  it('refuses a line without the header', () => {
    expect(parseLogLine(Buffer.from('hello'))).toBeUndefined()
  })
})

describe('readLog()', () => {
  const lines = `${T(1)} stdout F a\n${T(2)} stderr F b\n${T(3)} stdout P c\n${T(4)} stdout F d\n${T(5)} stdout P e\n`

  it('yields all pieces and their line ends', async () => {
    expect(await read(lines)).toEqual(['a\n', 'b\n', 'c', 'd\n', 'e'])
  })

  it('takes the last lines with the pieces that belong to them', async () => {
    expect(await read(lines, { tail: 1 })).toEqual(['e'])
    expect(await read(lines, { tail: 2 })).toEqual(['c', 'd\n', 'e'])
    expect(await read(lines, { tail: 3 })).toEqual(['b\n', 'c', 'd\n', 'e'])
    expect(await read(lines, { tail: 99 })).toEqual(['a\n', 'b\n', 'c', 'd\n', 'e'])
    expect(await read(lines, { tail: 0 })).toEqual([])
  })

  it('takes the last lines of a log of many blocks', async () => {
    const many = Array.from({ length: 9000 }, (_, i) => `${T(1)} stdout F line ${i}\n`).join('')
    expect(await read(many, { tail: 3 })).toEqual(['line 8997\n', 'line 8998\n', 'line 8999\n'])
    expect(await read(many, { tail: 5000 })).toHaveLength(5000)
  })

  it('filters by time', async () => {
    expect(await read(lines, { since: T(2), until: T(3) })).toEqual(['b\n', 'c'])
  })

  it('leaves a torn last line to the next read', async () => {
    const path = join(directory, 'log')
    writeFileSync(path, `${T(1)} stdout F a\n${T(2)} stdo`)
    const file = await openLog(path)
    const first = await readLogFrom(file, 0)
    writeFileSync(path, `${T(1)} stdout F a\n${T(2)} stdout F b\n`)
    const second = await readLogFrom(file, first.position)
    await file.close()
    expect(first.pieces.map((piece) => piece.text.toString())).toEqual(['a\n'])
    expect(second.pieces.map((piece) => piece.text.toString())).toEqual(['b\n'])
  })
})
