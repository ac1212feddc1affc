import { describe, expect, it } from 'vitest'
import { findCommand } from '../../../../src/cli/engine/find-command.ts'
import { describeError } from '../../../../src/errors.ts'

function failure(...words: string[]): string {
  try {
    findCommand(words)
  } catch (error) {
    return describeError(error)
  }
  throw new Error('it was found')
}

describe('findCommand()', () => {
  it('finds commands of one and of two words and leaves the rest', () => {
    expect(findCommand(['run', '--rm', 'ps'])).toMatchObject({ name: 'run', args: ['--rm', 'ps'] })
    expect(findCommand(['image', 'ls', '-q'])).toMatchObject({ name: 'image ls', args: ['-q'] })
  })

  it('takes a group without a command as a question', () => {
    for (const words of [['image'], ['image', '--help'], ['image', 'help']])
      expect(findCommand(words)).toMatchObject({ kind: 'group', name: 'image' })
  })

  it('suggests the nearest name', () => {
    expect(failure('imgaes')).toContain('did you mean "images"?')
    expect(failure('image', 'inspcet')).toContain('did you mean "image inspect"?')
    expect(failure('zzzz')).toBe(
      'cannot run the command "zzzz": there is none of this name; hint: tsrun help lists them',
    )
  })

  it('knows no names of Object', () => {
    expect(failure('constructor')).toContain('there is none of this name')
    expect(failure('image', '__proto__')).toContain('there is none of this name')
  })

  it('tells where options of a command stand', () => {
    expect(failure('-it', 'run')).toContain('options of a command stand after its name')
  })
})
