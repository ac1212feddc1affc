import { describe, expect, it } from 'vitest'
import {
  checkArgumentCount,
  containerIdOf,
  type FlagTable,
  parseArguments,
} from '../../../../src/cli/oci/arguments.ts'

const TABLE: FlagTable = {
  flags: {
    bundle: 'string',
    force: 'boolean',
    env: 'list',
    count: 'number',
    'no-pivot': 'boolean',
  },
  aliases: { b: 'bundle', f: 'force', e: 'env' },
}

const parse = (...argv: readonly string[]) => parseArguments(argv, TABLE)

describe('parseArguments()', () => {
  it.each([
    [['--bundle', '/b', 'id']],
    [['--bundle=/b', 'id']],
    [['-bundle', '/b', 'id']],
    [['-bundle=/b', 'id']],
    [['-b', '/b', 'id']],
    [['-b=/b', 'id']],
    [['--b', '/b', 'id']],
  ])('reads %j as Go does', (argv) => {
    const args = parse(...argv)
    expect(args.string('bundle')).toBe('/b')
    expect(args.positional).toEqual(['id'])
  })

  it('takes a value that looks like a flag, and one with an equals sign', () => {
    expect(parse('--bundle', '--force', 'id').string('bundle')).toBe('--force')
    expect(parse('--env=A=B=C').list('env')).toEqual(['A=B=C'])
  })

  it('ends at the first positional argument and at --', () => {
    expect(parse('id', '--force')).toMatchObject({ positional: ['id', '--force'] })
    expect(parse('--', '--force').positional).toEqual(['--force'])
    expect(parse('-').positional).toEqual(['-'])
  })

  it('reads booleans alone or with a value, never from the next word', () => {
    expect(parse('--no-pivot', 'false').boolean('no-pivot')).toBe(true)
    expect(parse('--no-pivot=false').boolean('no-pivot')).toBe(false)
    expect(parse().boolean('no-pivot')).toBe(false)
    expect(() => parse('--force=maybe')).toThrow('invalid boolean value "maybe" for -force')
  })

  it('keeps every value of a list, the last of a string', () => {
    expect(parse('-e', 'A=1', '-e', 'B=2').list('env')).toEqual(['A=1', 'B=2'])
    expect(parse('-b', '/a', '-b', '/b').string('bundle')).toBe('/b')
  })

  it('refuses numbers that are none', () => {
    expect(parse('--count', '-3').number('count')).toBe(-3)
    for (const text of ['x', '1.5', '0x10', '', '99999999999999999999']) {
      expect(() => parse(`--count=${text}`).number('count')).toThrow('not an integer')
    }
  })

  it('refuses what it does not know, by name', () => {
    expect(() => parse('--bundel=/b')).toThrow('flag provided but not defined: --bundel')
    expect(() => parse('--toString')).toThrow('--toString')
    expect(() => parse('--__proto__=1')).toThrow('--__proto__')
  })

  it('says which flag lacks its value', () => {
    expect(() => parse('--bundle')).toThrow('flag needs an argument: --bundle')
  })
})

describe('parseArguments() of flags among the arguments', () => {
  const among = (...argv: readonly string[]) => parseArguments(argv, TABLE, 'interspersed')

  it('finds flags behind the container id', () => {
    const args = among('id', '--bundle', '/b', '-f', 'TERM')
    expect(args.string('bundle')).toBe('/b')
    expect(args.boolean('force')).toBe(true)
    expect(args.positional).toEqual(['id', 'TERM'])
  })

  it('leaves what stands behind -- alone', () => {
    expect(among('id', '--', '--force')).toMatchObject({ positional: ['id', '--force'] })
    expect(among('id', '--', '--force').has('force')).toBe(false)
  })

  it('refuses an unknown flag behind the id too', () => {
    expect(() => among('id', '--toString')).toThrow('--toString')
  })
})

describe('containerIdOf()', () => {
  it('wants one that is not empty', () => {
    expect(containerIdOf(parse('id'))).toBe('id')
    expect(() => containerIdOf(parse(''))).toThrow('container id cannot be empty')
  })
})

describe('checkArgumentCount()', () => {
  it.each([
    [{ least: 1, most: 1 }, 0, '"kill" requires exactly 1 argument(s)'],
    [{ least: 1, most: 1 }, 2, '"kill" requires exactly 1 argument(s)'],
    [{ least: 1, most: 2 }, 0, '"kill" requires a minimum of 1 argument(s)'],
    [{ least: 1, most: 2 }, 3, '"kill" requires a maximum of 2 argument(s)'],
  ])('%j of %i: %s', (wanted, count, text) => {
    const args = parse(...Array.from({ length: count }, () => 'x'))
    expect(() => checkArgumentCount(args, 'kill', wanted)).toThrow(text)
  })

  it('takes what fits', () => {
    checkArgumentCount(parse('x', 'y'), 'kill', { least: 1, most: 2 })
    checkArgumentCount(parse(), 'list', { least: 0, most: 0 })
  })
})
