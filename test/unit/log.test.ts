import { describe, expect, it } from 'vitest'
import { createLogger, type LogFormat, type LogLevel } from '../../src/log.ts'

function capture(format: LogFormat, level: LogLevel = 'debug') {
  const lines: string[] = []
  const now = () => new Date('2026-01-02T03:04:05.678Z')
  return { lines, log: createLogger({ write: (line) => lines.push(line), format, level, now }) }
}

describe('createLogger()', () => {
  it('writes the JSON that containerd reads', () => {
    const { lines, log } = capture('json')
    log.error('cannot "x"\nnow', { id: 'web' })
    expect(lines).toEqual([
      '{"id":"web","level":"error","msg":"cannot \\"x\\"\\nnow","time":"2026-01-02T03:04:05Z"}\n',
    ])
  })

  it('fields cannot replace the message or the level', () => {
    const { lines, log } = capture('json')
    log.info('real', { msg: 'forged', level: 'error' })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'real', level: 'info' })
  })

  it('writes the text of runc, one line whatever the message holds', () => {
    const { lines, log } = capture('text')
    log.warning('two\nlines level=error', { path: '/a b', n: 1 })
    log.debug('plain')
    expect(lines).toEqual([
      'time="2026-01-02T03:04:05Z" level=warning msg="two\\nlines level=error" path="/a b" n=1\n',
      'time="2026-01-02T03:04:05Z" level=debug msg=plain\n',
    ])
  })

  it('drops what is below the level', () => {
    const { lines, log } = capture('text', 'warning')
    log.debug('a')
    log.info('b')
    log.warning('c')
    expect(lines).toHaveLength(1)
  })
})
