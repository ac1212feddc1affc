import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogFiles } from '../../../src/monitor/log-files.ts'
import { type LogOptions, type LogPiece, parseLogLine } from '../../../src/monitor/log-reader.ts'

const T = (second: number) => `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000000Z`

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsrun-log-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const logPath = () => join(directory, 'log')

async function texts(pieces: AsyncIterable<LogPiece>): Promise<string[]> {
  const all: string[] = []
  for await (const piece of pieces) all.push(piece.text.toString('latin1'))
  return all
}

/** Reads a log of these files, the newest first. */
async function read(content: string | string[], options: LogOptions = {}): Promise<string[]> {
  for (const [number, text] of [content].flat().entries())
    writeFileSync(number === 0 ? logPath() : `${logPath()}.${number}`, text)
  await using log = await LogFiles.open(logPath())
  return await texts(log.read(options))
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

describe('LogFiles', () => {
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
    writeFileSync(logPath(), `${T(1)} stdout F a\n${T(2)} stdo`)
    await using log = await LogFiles.open(logPath())
    expect(await texts(log.read({}))).toEqual(['a\n'])
    writeFileSync(logPath(), `${T(1)} stdout F a\n${T(2)} stdout F b\n`)
    expect(await texts(log.readMore())).toEqual(['b\n'])
  })

  const files = [
    `${T(5)} stdout F e\n`,
    `${T(3)} stdout P c\n${T(4)} stdout F d\n`,
    `${T(1)} stdout F a\n${T(2)} stdout F b\n`,
  ]

  it('reads the files of a rotated log, the oldest first', async () => {
    expect(await read(files)).toEqual(['a\n', 'b\n', 'c', 'd\n', 'e\n'])
    expect(await read(files, { since: T(2), until: T(3) })).toEqual(['b\n', 'c'])
  })

  it('takes the last lines over several files', async () => {
    expect(await read(files, { tail: 0 })).toEqual([])
    expect(await read(files, { tail: 1 })).toEqual(['e\n'])
    expect(await read(files, { tail: 2 })).toEqual(['c', 'd\n', 'e\n'])
    expect(await read(files, { tail: 3 })).toEqual(['b\n', 'c', 'd\n', 'e\n'])
    expect(await read(files, { tail: 9 })).toEqual(['a\n', 'b\n', 'c', 'd\n', 'e\n'])
  })

  it('is empty where there is none', async () => {
    await using log = await LogFiles.open(logPath())
    expect(await texts(log.read({}))).toEqual([])
    expect(await texts(log.readMore())).toEqual([])
  })

  const rotate = (next: string) => {
    for (const number of [2, 1]) {
      const from = number === 1 ? logPath() : `${logPath()}.${number - 1}`
      try {
        renameSync(from, `${logPath()}.${number}`)
      } catch {
        // Not so many files yet, ignoring.
      }
    }
    writeFileSync(logPath(), next)
  }
  const line = (number: number) => `${T(number)} stdout F ${number}\n`

  it('follows over rotations, and misses nothing that is still there', async () => {
    writeFileSync(logPath(), line(1))
    await using log = await LogFiles.open(logPath())
    expect(await texts(log.read({}))).toEqual(['1\n'])
    expect(await texts(log.readMore())).toEqual([])
    writeFileSync(logPath(), line(2), { flag: 'a' })
    rotate(line(3))
    rotate(line(4))
    expect(await texts(log.readMore())).toEqual(['2\n', '3\n', '4\n'])
    writeFileSync(logPath(), line(5), { flag: 'a' })
    expect(await texts(log.readMore())).toEqual(['5\n'])
  })

  it('goes on with the oldest file when its own was rotated away', async () => {
    writeFileSync(logPath(), line(1))
    await using log = await LogFiles.open(logPath())
    await texts(log.read({}))
    for (const number of [2, 3, 4, 5]) rotate(line(number))
    expect(await texts(log.readMore())).toEqual(['3\n', '4\n', '5\n'])
  })
})
