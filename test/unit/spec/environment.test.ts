import { describe, expect, it } from 'vitest'
import { buildEnvironment, DEFAULT_PATH } from '../../../src/spec/environment.ts'

const BASE = { image: [], user: [], hostname: 'web', home: '/root', terminal: false }

describe('buildEnvironment()', () => {
  it("takes the caller's below all, makes some of others, and leaves out what is unset", () => {
    const question = {
      ...BASE,
      host: ['A=host', 'H=1'],
      image: ['A=image', 'P=/bin'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the text that users write
      merge: ['P=${P}:/opt', 'Q=${NONE}x'],
      user: ['U=1', 'P=user'],
    }
    expect(buildEnvironment(question)).toEqual([
      'A=image',
      'H=1',
      `PATH=${DEFAULT_PATH}`,
      'HOSTNAME=web',
      'P=user',
      'Q=x',
      'U=1',
      'HOME=/root',
    ])
    const merged = buildEnvironment({ ...question, user: [], unset: ['A', 'HOME'] })
    expect(merged).toContain('P=/bin:/opt')
    expect(merged.filter((text) => /^(?:A|HOME)=/.test(text))).toEqual([])
    expect(buildEnvironment({ ...question, unset: 'all' })).toEqual(['U=1', 'P=user'])
  })

  it('gives PATH, HOSTNAME and HOME', () => {
    expect(buildEnvironment(BASE)).toEqual([`PATH=${DEFAULT_PATH}`, 'HOSTNAME=web', 'HOME=/root'])
  })

  it('adds TERM with a terminal', () => {
    expect(buildEnvironment({ ...BASE, terminal: true })).toContain('TERM=xterm')
  })

  it('lets the image win over the defaults and the user over the image, each name once', () => {
    const env = buildEnvironment({
      ...BASE,
      image: ['PATH=/image', 'A=1', 'HOME=/h'],
      user: ['A=2', 'A=3=x', 'B='],
    })
    expect(env).toEqual(['PATH=/image', 'HOSTNAME=web', 'A=3=x', 'HOME=/h', 'B='])
  })

  it('removes a variable that is given without a value', () => {
    expect(buildEnvironment({ ...BASE, image: ['A=1'], user: ['A', 'NONE'] })).not.toContain('A=1')
  })

  it('keeps names that objects inherit as data', () => {
    expect(buildEnvironment({ ...BASE, user: ['__proto__=x', 'constructor=y'] })).toEqual(
      expect.arrayContaining(['__proto__=x', 'constructor=y']),
    )
  })

  it.each(['', '=x', 'A=\0'])('refuses %j', (text) => {
    expect(() => buildEnvironment({ ...BASE, user: [text] })).toThrow(/^cannot use env /)
  })
})
