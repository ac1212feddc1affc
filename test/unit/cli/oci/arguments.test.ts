import { describe, expect, it } from 'vitest'
import {
  type FlagTable,
  oneContainerId,
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

describe('oneContainerId()', () => {
  it('wants exactly one', () => {
    expect(oneContainerId(parse('id'), 'start')).toBe('id')
    expect(() => oneContainerId(parse(), 'start')).toThrow('a container id is required')
    expect(() => oneContainerId(parse('id', '--force'), 'delete')).toThrow('"--force"')
  })
})
